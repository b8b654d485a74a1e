// Which sequences of a stream were seen.
#pragma once

#include <cstdint>
#include <map>

namespace legion::cli {

/// Bounds: one entry per run of consecutive sequences.
class SequenceRanges {
 public:
  /// Both ends included.
  void add(std::uint64_t first, std::uint64_t last);
  bool contains(std::uint64_t sequence) const;
  bool empty() const { return runs_.empty(); }
  std::uint64_t lowest() const { return runs_.begin()->first; }   ///< of one that is not empty
  std::uint64_t highest() const { return runs_.rbegin()->second; }
  /// Sequences between the lowest and the highest that are not here.
  std::uint64_t missing_between() const;
  /// How many of these are not in `other`.
  std::uint64_t count_not_in(const SequenceRanges& other) const;

 private:
  std::map<std::uint64_t, std::uint64_t> runs_;  // first -> last; disjoint, not adjacent
};

}  // namespace legion::cli
