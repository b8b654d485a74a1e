#include <legion/core/journal_records.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>

namespace legion {

Position JournalRecords::append(JournalEntry entry) {
  bytes_ += cost(entry.frame->size());
  entry.first = entry.last = ++last_;
  rest_.push_back(std::move(entry));
  return last_;
}

const JournalEntry& JournalRecords::find(Position position, Hint& hint) const {
  const auto holds = [&](std::size_t index) {
    return index < size() && at(index).first <= position && position <= at(index).last;
  };
  const std::size_t index = hint - popped_;  // beyond size() where the hint is older than the front
  for (const std::size_t near : {index, index + 1}) {
    if (holds(near)) {
      hint = popped_ + near;
      return at(near);
    }
  }
  std::size_t low = 0;
  std::size_t high = size();
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (at(middle).first <= position ? low : high) = middle;
  }
  LEGION_ASSERT(holds(low));
  hint = popped_ + low;
  return at(low);
}

void JournalRecords::drop_front() {
  std::deque<JournalEntry>& queue = kept_.empty() ? rest_ : kept_;
  JournalEntry& entry = queue.front();
  if (entry.is_frame()) bytes_ -= cost(entry.frame->size());
  gone_through_ = entry.last;
  queue.pop_front();
  ++popped_;
}

JournalRecords::GivenUp JournalRecords::void_oldest(Position bound) {
  put_back(bound);
  while (!rest_.empty()) {
    JournalEntry entry = take_rest();
    if (entry.is_frame() && entry.first > bound && entry.first != last_) return give_up(std::move(entry), bound);
    keep(std::move(entry), bound);
  }
  return {};
}

JournalRecords::GivenUp JournalRecords::give_up(JournalEntry entry, Position bound) {
  bytes_ -= cost(entry.frame->size());
  const GivenUp given_up{entry.first, entry.events};
  const auto trace = [&](JournalVoid& traces) {
    traces.add(entry.lane, entry.type(), entry.shard, entry.sequence, entry.sequence + entry.events - 1, entry.first);
  };
  if (!kept_.empty() && kept_.back().is_void() && kept_.back().first > bound) {
    trace(*kept_.back().traces);
    kept_.back().last = entry.last;
    return given_up;
  }
  entry.traces = std::make_unique<JournalVoid>();
  trace(*entry.traces);
  entry.frame = nullptr;
  kept_.push_back(std::move(entry));
  return given_up;
}

/// Behind everything that is kept. What touches becomes one, except voids that begin at or before `bound`.
void JournalRecords::keep(JournalEntry entry, Position bound) {
  if (!kept_.empty() && !entry.is_frame()) {
    JournalEntry& before = kept_.back();
    const bool alike = !before.is_frame() && before.is_void() == entry.is_void();
    if (alike && before.first > bound) {
      if (entry.is_void()) before.traces->absorb(*entry.traces);
      before.last = entry.last;
      return;
    }
  }
  kept_.push_back(std::move(entry));
}

/// Moves the border to before the first entry beyond `bound`.
void JournalRecords::put_back(Position bound) {
  while (!kept_.empty() && kept_.back().first > bound) {
    rest_.push_front(std::move(kept_.back()));
    kept_.pop_back();
  }
}

JournalEntry JournalRecords::take_rest() {
  JournalEntry entry = std::move(rest_.front());
  rest_.pop_front();
  return entry;
}

}  // namespace legion
