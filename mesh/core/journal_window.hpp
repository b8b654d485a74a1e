// How many bytes are out: sent and not acknowledged, or given to the store and not yet durable.
#pragma once

#include <cstdint>
#include <deque>

#include <legion/core/spool_messages.hpp>

namespace legion {

inline std::uint64_t window_bytes(const Bytes& frame) { return frame.size() + record_window_bytes; }
inline std::uint64_t window_bytes_of_spans(std::size_t spans) { return record_window_bytes * (1 + spans); }

/// Positions come in ascending order. Small records are counted in heaps, which go when their last one does, so up to
/// heap_bytes may be counted too long; never once everything is settled. Bounds: 16 bytes a heap.
class OutstandingBytes {
 public:
  static constexpr std::uint64_t heap_bytes = 4096;

  void add(Position last, std::uint64_t bytes) {
    bytes_ += bytes;
    if (!heaps_.empty() && heaps_.back().bytes + bytes <= heap_bytes) {
      heaps_.back() = {last, heaps_.back().bytes + bytes};
    } else {
      heaps_.push_back({last, bytes});
    }
  }
  /// Everything up to `through` is done with.
  void settle(Position through) {
    while (!heaps_.empty() && heaps_.front().last <= through) {
      bytes_ -= heaps_.front().bytes;
      heaps_.pop_front();
    }
  }
  /// What is beyond `through` is out no more.
  void rewind(Position through) {
    while (!heaps_.empty() && heaps_.back().last > through) {
      bytes_ -= heaps_.back().bytes;
      heaps_.pop_back();
    }
  }
  void clear() {
    heaps_.clear();
    bytes_ = 0;
  }
  std::uint64_t bytes() const { return bytes_; }
  /// A single record may always be out.
  bool admits(std::uint64_t bytes, std::uint64_t window) const { return bytes_ == 0 || bytes_ + bytes <= window; }

 private:
  struct Heap {
    Position last = 0;
    std::uint64_t bytes = 0;
  };
  std::deque<Heap> heaps_;
  std::uint64_t bytes_ = 0;
};

}  // namespace legion
