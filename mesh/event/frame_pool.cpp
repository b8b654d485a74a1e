#include <legion/event/frame_pool.hpp>

#include <utility>

#include <legion/event/frame_memory.hpp>

namespace legion {

FrameMemory::FrameMemory()
    : BlockPool(FramePool::frames_kept_max),
      vectors_(FramePool::vectors_kept_max),
      buffers_(FramePool::buffers_kept_max) {}

std::vector<EventView> FrameMemory::take_events() {
  std::vector<EventView> events;
  vectors_.try_pop(events);
  return events;
}

void FrameMemory::give_back(std::vector<EventView> events) {
  if (events.capacity() == 0 || events.capacity() > FramePool::vector_events_max) return;
  events.clear();
  vectors_.try_push(std::move(events));
}

Bytes FrameMemory::take_buffer() {
  Bytes buffer;
  buffers_.try_pop(buffer);
  return buffer;
}

void FrameMemory::give_back(Bytes buffer) {
  if (buffer.capacity() == 0 || buffer.capacity() > FramePool::buffer_bytes_max) return;
  buffer.clear();
  buffers_.try_push(std::move(buffer));
}

void FramePool::Release::operator()(FrameMemory* memory) const { FrameMemory::Release{}(memory); }

FramePool::FramePool() : memory_(new FrameMemory) {}

FramePool::~FramePool() = default;

Bytes FramePool::take_buffer() { return memory_->take_buffer(); }

void FramePool::give_back(Bytes buffer) { memory_->give_back(std::move(buffer)); }

}  // namespace legion
