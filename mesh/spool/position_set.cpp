#include <legion/spool/position_set.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>

namespace legion {

PositionSet::PositionSet(const std::vector<PositionRange>& ranges) { add(ranges); }

std::vector<PositionRange>::const_iterator PositionSet::at_or_behind(Position position) const {
  return std::ranges::lower_bound(ranges_, position, {}, &PositionRange::last);
}

bool PositionSet::contains(Position position) const {
  const auto found = at_or_behind(position);
  return found != ranges_.end() && found->first <= position;
}

Position PositionSet::contiguous_from(Position floor) const {
  const auto found = at_or_behind(floor + 1);
  return found != ranges_.end() && found->first <= floor + 1 ? found->last : floor;
}

std::vector<PositionRange> PositionSet::missing(PositionRange range) const {
  std::vector<PositionRange> out;
  Position next = range.first;
  for (auto at = at_or_behind(range.first); at != ranges_.end() && at->first <= range.last; ++at) {
    if (at->first > next) out.push_back({next, at->first - 1});
    next = at->last + 1;
  }
  if (next <= range.last) out.push_back({next, range.last});
  return out;
}

std::vector<PositionRange> PositionSet::common(PositionRange range) const {
  std::vector<PositionRange> out;
  for (auto at = at_or_behind(range.first); at != ranges_.end() && at->first <= range.last; ++at) {
    out.push_back({std::max(at->first, range.first), std::min(at->last, range.last)});
  }
  return out;
}

void PositionSet::add(const std::vector<PositionRange>& ranges) {
  for (const PositionRange& range : ranges) add(range);
}

void PositionSet::add(PositionRange range) {
  LEGION_ASSERT(range.first >= 1 && range.first <= range.last);
  if (ranges_.empty() || range.first > ranges_.back().last + 1) {
    ranges_.push_back(range);
    return;
  }
  if (range.first == ranges_.back().last + 1) {
    ranges_.back().last = range.last;
    return;
  }
  // Everything that touches the range becomes one with it.
  const auto begin = ranges_.begin() + (at_or_behind(range.first - 1) - ranges_.cbegin());
  auto end = begin;
  while (end != ranges_.end() && end->first <= range.last + 1) {
    range.first = std::min(range.first, end->first);
    range.last = std::max(range.last, end->last);
    ++end;
  }
  if (begin == end) {
    ranges_.insert(begin, range);
    return;
  }
  *begin = range;
  ranges_.erase(begin + 1, end);
}

void PositionSet::remove(PositionRange range) {
  auto at = ranges_.begin() + (at_or_behind(range.first) - ranges_.cbegin());
  if (at != ranges_.end() && at->first < range.first) {
    const PositionRange behind{range.first, at->last};
    at->last = range.first - 1;
    at = ranges_.insert(at + 1, behind);
  }
  const auto begin = at;
  while (at != ranges_.end() && at->last <= range.last) ++at;
  if (at != ranges_.end() && at->first <= range.last) at->first = range.last + 1;
  ranges_.erase(begin, at);
}

}  // namespace legion
