// Frames of one stream that wait to be offered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include <legion/event/frame.hpp>

namespace legion::durable {

/// Ordered; none holds all events of another. The frames at the front that follow each other without a hole are the
/// run; everything about it is known without walking it.
///
/// Bounds: the owner's, by bytes().
class FrameBuffer {
 public:
  struct Held {
    FramePtr frame;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::size_t bytes = 0;
  };

  /// What a frame counts for: its events, and what surrounds it.
  static std::size_t cost(const Frame& frame);

  /// Without effect when a frame here has all its events.
  void add(const FramePtr& frame);
  /// The frame with this sequence, unless it is missing. Frames before it are dropped.
  const Held* at(std::uint64_t sequence);
  /// The first sequence from this one on that the run has not. Frames before it were dropped by at().
  std::uint64_t run_end(std::uint64_t sequence) const;
  /// Bytes of the run, if it begins here.
  std::size_t run_bytes(std::uint64_t sequence) const;
  /// Where frames go on behind run_end().
  std::optional<std::uint64_t> beyond_run(std::uint64_t sequence) const;
  void clear();

  bool empty() const { return frames_.empty(); }
  std::size_t size() const { return frames_.size(); }
  std::size_t bytes() const { return bytes_; }
  const Held& front() const { return frames_.front(); }

 private:
  void find_run();
  void extend_run();
  bool starts_at(std::uint64_t sequence) const { return !frames_.empty() && frames_.front().first <= sequence; }

  std::deque<Held> frames_;   // both first and last ascend
  std::size_t bytes_ = 0;
  std::size_t run_frames_ = 0;
  std::size_t run_bytes_ = 0;
};

}  // namespace legion::durable
