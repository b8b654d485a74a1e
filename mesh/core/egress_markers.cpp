#include <legion/core/egress_markers.hpp>

#include <algorithm>

namespace legion {

MarkerSchedule::MarkerSchedule(Duration interval, Duration interval_max)
    : interval_(std::max(interval, Duration(1ms))), interval_max_(std::max(interval_max, interval_)) {}

void MarkerSchedule::add(Duration first_wait) {
  Slot slot;
  slot.first_wait = slot.wait = std::max(first_wait, Duration(1));
  slots_.push_back(slot);
}

void MarkerSchedule::on_data(Now now, std::uint32_t stream) {
  Slot& slot = slots_[stream];
  slot.quiet_since = now.steady;
  slot.wait = slot.first_wait;
  const SteadyTime due = now.steady + slot.wait;
  if (!slot.is_armed || due < slot.armed) arm(stream, due);
}

void MarkerSchedule::on_marker(Now now, std::uint32_t stream) { note_marker(now, slots_[stream]); }

void MarkerSchedule::take_due(Now now, std::vector<std::uint32_t>& out) {
  const std::size_t allowed = allowance(now);
  std::size_t taken = 0;
  // Entries that only move on are cheap, but a hundred thousand of them in one turn are not.
  std::size_t moves_left = allowed * 4 + burst;
  while (!queue_.empty() && queue_.top().due <= now.steady) {
    const Entry entry = queue_.top();
    Slot& slot = slots_[entry.stream];
    const bool stale = !slot.is_armed || entry.due != slot.armed;
    const bool quiet = !stale && slot.quiet_since + slot.wait <= now.steady;
    if (quiet ? taken == allowed : moves_left == 0) break;
    queue_.pop();
    if (quiet) {
      ++taken;
      out.push_back(entry.stream);
      note_marker(now, slot);
    } else {
      --moves_left;
    }
    if (!stale) arm(entry.stream, slot.quiet_since + slot.wait);
  }
  const bool backlog = !queue_.empty() && queue_.top().due <= now.steady;
  credit_ = backlog ? std::max<std::int64_t>(0, credit_ - static_cast<std::int64_t>(taken) * interval_.count()) : 0;
}

void MarkerSchedule::arm(std::uint32_t stream, SteadyTime due) {
  slots_[stream].armed = due;
  slots_[stream].is_armed = true;
  queue_.push({due, stream});
}

void MarkerSchedule::note_marker(Now now, Slot& slot) const {
  slot.quiet_since = now.steady;
  slot.wait = std::min(slot.wait * 2, std::max(interval_max_, slot.first_wait));
}

std::size_t MarkerSchedule::allowance(Now now) {
  // A turn that comes late does not release everything at once.
  const Duration elapsed = turned_ ? std::clamp(now.steady - last_turn_, Duration(0), interval_ / 2) : Duration(0);
  last_turn_ = now.steady;
  turned_ = true;
  if (slots_.size() <= burst) return slots_.size();
  credit_ += static_cast<std::int64_t>(slots_.size()) * elapsed.count();
  return static_cast<std::size_t>(credit_ / interval_.count());
}

}  // namespace legion
