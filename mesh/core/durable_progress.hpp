// How far one stream is: what is done, without holes and beyond.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace legion::durable {

/// Bounds: as many ranges as there are holes; the owner keeps what is ahead within limits::cursor_ahead_max.
class Progress {
 public:
  using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

  Progress() = default;
  Progress(std::uint64_t done, Ranges ahead) : done_(done), ahead_(std::move(ahead)) {}

  /// first .. last are done; what was done before is no harm. Returns how many were not.
  std::uint64_t add(std::uint64_t first, std::uint64_t last);

  std::uint64_t done() const { return done_; }
  const Ranges& ahead() const { return ahead_; }
  std::uint64_t ahead_count() const;
  bool contains(std::uint64_t sequence) const { return next_open(sequence) != sequence; }
  /// The first sequence at or beyond this one that is not done.
  std::uint64_t next_open(std::uint64_t sequence) const;
  /// The last sequence of the hole that `sequence` is in; the highest there is when nothing is done beyond.
  std::uint64_t end_of_hole(std::uint64_t sequence) const;

 private:
  std::uint64_t done_ = 0;
  Ranges ahead_;  // ascending, not adjacent, beyond done_ + 1
};

}  // namespace legion::durable
