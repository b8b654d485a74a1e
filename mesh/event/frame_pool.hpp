// What frames are made of, kept for the next ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <legion/base/bytes.hpp>

namespace legion {

class FrameMemory;

/// Recycles the memory of frames, the vectors of their events and byte buffers, so that a node which is warm allocates
/// nothing for the frames it receives or packs.
///
/// Thread: any; a lock is held for a few instructions.
/// Ownership: may be destroyed before the frames made with it.
/// Bounds: the constants below; what does not fit is freed.
class FramePool {
 public:
  static constexpr std::uint32_t frames_kept_max = 256;
  static constexpr std::uint32_t vectors_kept_max = 64;
  static constexpr std::uint32_t buffers_kept_max = 64;
  static constexpr std::size_t vector_events_max = 1024;      ///< a larger vector is freed
  static constexpr std::size_t buffer_bytes_max = 64 * 1024;  ///< a larger buffer is freed

  FramePool();
  ~FramePool();
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  /// Empty, with the capacity it had when it was given back; or new, without any.
  Bytes take_buffer();
  void give_back(Bytes buffer);

 private:
  friend struct FrameAccess;
  struct Release {
    void operator()(FrameMemory* memory) const;
  };
  std::unique_ptr<FrameMemory, Release> memory_;  // released: the frames made with it keep it, the last one frees it
};

}  // namespace legion
