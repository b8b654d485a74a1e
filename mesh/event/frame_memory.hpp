// What stands behind a FramePool. Internal to this layer.
#pragma once

#include <vector>

#include <legion/base/block_pool.hpp>
#include <legion/base/bytes.hpp>
#include <legion/event/event.hpp>
#include <legion/event/frame.hpp>

namespace legion {

// The control block of a shared_ptr beside the frame: a table pointer, two counts, the allocator.
inline constexpr std::size_t frame_block_bytes = sizeof(Frame) + 64;

/// Blocks for frames, and what frames need while they live. Bounds: those of FramePool.
class FrameMemory final : public BlockPool<frame_block_bytes> {
 public:
  FrameMemory();

  /// Empty, with whatever capacity.
  std::vector<EventView> take_events();
  void give_back(std::vector<EventView> events);
  Bytes take_buffer();
  void give_back(Bytes buffer);
  using BlockPool::give_back;

 private:
  ~FrameMemory() override = default;

  FreeStack<std::vector<EventView>> vectors_;
  FreeStack<Bytes> buffers_;
};

}  // namespace legion
