#include <legion/core/durable_progress.hpp>

#include <algorithm>
#include <limits>

#include <legion/base/assert.hpp>

namespace legion::durable {

std::uint64_t Progress::add(std::uint64_t first, std::uint64_t last) {
  LEGION_ASSERT(first <= last);
  if (last <= done_) return 0;
  first = std::max(first, done_ + 1);
  const std::uint64_t before = done_ + ahead_count();
  if (ahead_.empty() && first == done_ + 1) {
    const std::uint64_t added = last - done_;
    done_ = last;
    return added;
  }
  // The ranges that touch the new one become one with it.
  auto begin = std::ranges::find_if(ahead_, [&](const auto& range) { return range.second + 1 >= first; });
  auto end = begin;
  while (end != ahead_.end() && end->first <= last + 1) {
    first = std::min(first, end->first);
    last = std::max(last, end->second);
    ++end;
  }
  begin = ahead_.erase(begin, end);
  if (first == done_ + 1) {
    done_ = last;
  } else {
    ahead_.insert(begin, {first, last});
  }
  return done_ + ahead_count() - before;
}

std::uint64_t Progress::ahead_count() const {
  std::uint64_t count = 0;
  for (const auto& [first, last] : ahead_) count += last - first + 1;
  return count;
}

std::uint64_t Progress::next_open(std::uint64_t sequence) const {
  sequence = std::max(sequence, done_ + 1);
  for (const auto& [first, last] : ahead_) {
    if (first <= sequence && sequence <= last) return last + 1;
  }
  return sequence;
}

std::uint64_t Progress::end_of_hole(std::uint64_t sequence) const {
  for (const auto& [first, last] : ahead_) {
    if (first > sequence) return first - 1;
  }
  return std::numeric_limits<std::uint64_t>::max();
}

}  // namespace legion::durable
