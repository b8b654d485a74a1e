#include <legion/cli/sequence_ranges.hpp>

#include <algorithm>
#include <iterator>

namespace legion::cli {

void SequenceRanges::add(std::uint64_t first, std::uint64_t last) {
  auto next = runs_.upper_bound(first);
  if (next != runs_.begin()) {
    const auto before = std::prev(next);
    if (before->second >= first || before->second + 1 == first) {
      first = before->first;
      last = std::max(last, before->second);
      next = runs_.erase(before);
    }
  }
  while (next != runs_.end() && (next->first <= last || next->first == last + 1)) {
    last = std::max(last, next->second);
    next = runs_.erase(next);
  }
  runs_.emplace_hint(next, first, last);
}

bool SequenceRanges::contains(std::uint64_t sequence) const {
  const auto next = runs_.upper_bound(sequence);
  return next != runs_.begin() && std::prev(next)->second >= sequence;
}

std::uint64_t SequenceRanges::missing_between() const {
  std::uint64_t missing = 0;
  for (auto run = runs_.begin(); run != runs_.end(); ++run) {
    const auto next = std::next(run);
    if (next != runs_.end()) missing += next->first - run->second - 1;
  }
  return missing;
}

std::uint64_t SequenceRanges::count_not_in(const SequenceRanges& other) const {
  std::uint64_t count = 0;
  for (const auto& [first, last] : runs_) {
    std::uint64_t at = first;
    auto run = other.runs_.upper_bound(first);
    if (run != other.runs_.begin()) --run;
    for (; run != other.runs_.end() && run->first <= last && at <= last; ++run) {
      if (run->second < at) continue;
      if (run->first > at) count += run->first - at;
      at = run->second + 1;
    }
    if (at <= last) count += last - at + 1;
  }
  return count;
}

}  // namespace legion::cli
