#include <legion/core/durable_buffer.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>

namespace legion::durable {

std::size_t FrameBuffer::cost(const Frame& frame) { return frame.events_bytes() + sizeof(Frame) + sizeof(Held) + 128; }

void FrameBuffer::add(const FramePtr& frame) {
  const FrameHeader& header = frame->header();
  LEGION_ASSERT(header.event_count > 0);
  const Held held{frame, header.first_sequence, header.first_sequence + header.event_count - 1, cost(*frame)};
  std::size_t place = frames_.size();  // from the back: that is where live frames go
  while (place > 0 && frames_[place - 1].first >= held.first) --place;
  if (place > 0 && frames_[place - 1].last >= held.last) return;
  if (place < frames_.size() && frames_[place].first == held.first && frames_[place].last >= held.last) return;
  while (place < frames_.size() && frames_[place].last <= held.last) {
    bytes_ -= frames_[place].bytes;
    if (place < run_frames_) {
      --run_frames_;
      run_bytes_ -= frames_[place].bytes;
    }
    frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(place));
  }
  bytes_ += held.bytes;
  frames_.insert(frames_.begin() + static_cast<std::ptrdiff_t>(place), held);
  if (place < run_frames_ || place == 0) return find_run();
  if (place == run_frames_) extend_run();
}

const FrameBuffer::Held* FrameBuffer::at(std::uint64_t sequence) {
  while (!frames_.empty() && frames_.front().last < sequence) {
    bytes_ -= frames_.front().bytes;
    run_bytes_ -= frames_.front().bytes;
    frames_.pop_front();
    if (--run_frames_ == 0) find_run();
  }
  return starts_at(sequence) ? &frames_.front() : nullptr;
}

std::uint64_t FrameBuffer::run_end(std::uint64_t sequence) const {
  return starts_at(sequence) ? std::max(sequence, frames_[run_frames_ - 1].last + 1) : sequence;
}

std::size_t FrameBuffer::run_bytes(std::uint64_t sequence) const { return starts_at(sequence) ? run_bytes_ : 0; }

std::optional<std::uint64_t> FrameBuffer::beyond_run(std::uint64_t sequence) const {
  const std::size_t beyond = starts_at(sequence) ? run_frames_ : 0;
  if (beyond == frames_.size()) return std::nullopt;
  return frames_[beyond].first;
}

void FrameBuffer::clear() { *this = {}; }

void FrameBuffer::find_run() {
  run_frames_ = 0;
  run_bytes_ = 0;
  extend_run();
}

void FrameBuffer::extend_run() {
  while (run_frames_ < frames_.size()) {
    const Held& next = frames_[run_frames_];
    if (run_frames_ > 0 && next.first > frames_[run_frames_ - 1].last + 1) return;
    ++run_frames_;
    run_bytes_ += next.bytes;
  }
}

}  // namespace legion::durable
