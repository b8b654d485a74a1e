#include <legion/core/books.hpp>

#include <legion/base/assert.hpp>

namespace legion {

std::string_view to_string(LossReason reason) {
  switch (reason) {
    case LossReason::Link: return "link";
    case LossReason::OriginDied: return "origin_died";
    case LossReason::Overflow: return "overflow";
    case LossReason::GateOverflow: return "gate_overflow";
    case LossReason::Shutdown: return "shutdown";
    case LossReason::Gone: return "gone";
  }
  LEGION_UNREACHABLE();
}

FilteredCounts& FilteredCounts::operator+=(const FilteredCounts& other) {
  where += other.where;
  stopped += other.stopped;
  duplicate += other.duplicate;
  limited += other.limited;
  return *this;
}

std::uint64_t Books::lost_total() const {
  std::uint64_t total = 0;
  for (const std::uint64_t count : lost) total += count;
  return total;
}

std::uint64_t Books::accounted() const {
  return delivered + filtered.total() + expired + dead + lost_total() + pending;
}

std::int64_t Books::balance() const {
  return static_cast<std::int64_t>(published) - static_cast<std::int64_t>(accounted());
}

Books& Books::operator+=(const Books& other) {
  published += other.published;
  delivered += other.delivered;
  filtered += other.filtered;
  expired += other.expired;
  dead += other.dead;
  for (std::size_t i = 0; i < lost.size(); ++i) lost[i] += other.lost[i];
  pending += other.pending;
  return *this;
}

}  // namespace legion
