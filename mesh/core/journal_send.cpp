// What is sent to the spools, and when.
#include <algorithm>
#include <utility>

#include <legion/core/journal_state.hpp>

namespace legion {

void Journal::State::fill_windows() {
  for (auto& [spool, link] : links) {
    if (link.state != LinkState::Open) continue;
    for (const JournalKind journal : all_journals) {
      fill(link, journal);
      tell_released(link, journal);
    }
    if (!closing || link.close_told || !is_through(link)) continue;
    link.close_told = true;
    send(link, CloseLink{link.session, book(JournalKind::Confirmed).records.last(),
                         book(JournalKind::Captured).records.last()});
  }
}

void Journal::State::fill(Link& link, JournalKind journal) {
  const Side& side = link.sides[journal_index(journal)];
  const bool idle = side.out.bytes() == 0 && side.sent < book(journal).records.last();
  // Waiting for an acknowledgement begins now.
  if (idle && link.sides[0].out.bytes() + link.sides[1].out.bytes() == 0) link.since = now.steady;
  while (send_next(link, journal)) {
  }
}

/// False: all is sent, or the window is full.
bool Journal::State::send_next(Link& link, JournalKind journal) {
  const JournalRecords& records = book(journal).records;
  Side& side = link.sides[journal_index(journal)];
  if (side.sent >= records.last()) return false;
  const Position next = side.sent + 1;
  while (side.beyond_at < side.beyond.size() && side.beyond[side.beyond_at].last < next) ++side.beyond_at;
  if (side.beyond_at < side.beyond.size() && side.beyond[side.beyond_at].first <= next) {
    side.sent = side.beyond[side.beyond_at].last;
    return true;
  }
  if (next <= records.gone_through()) return skip(link, journal, records.gone_through());
  const JournalEntry& entry = records.find(next, side.hint);
  return entry.is_frame() ? send_frame(link, journal, entry) : send_range(link, journal, entry);
}

bool Journal::State::admits(const Link& link, JournalKind journal, std::uint64_t bytes) const {
  const Side& side = link.sides[journal_index(journal)];
  // What is under way is not given up: half of a full journal has to be free to give way.
  const bool bounded = journal == JournalKind::Captured;
  return side.out.admits(bytes, bounded ? std::min(side.window, book(journal).bytes_max / 2) : side.window);
}

bool Journal::State::send_frame(Link& link, JournalKind journal, const JournalEntry& entry) {
  Side& side = link.sides[journal_index(journal)];
  const std::uint64_t bytes = window_bytes(*entry.frame);
  if (!admits(link, journal, bytes)) return false;
  side.out.add(entry.first, bytes);
  side.sent = entry.first;
  send(link, AppendFrame{link.session, journal, entry.first, entry.held_for, entry.frame});
  return true;
}

bool Journal::State::send_range(Link& link, JournalKind journal, const JournalEntry& entry) {
  if (!entry.is_void()) return skip(link, journal, entry.last);
  Side& side = link.sides[journal_index(journal)];
  JournalVoid::Part part = entry.traces->part_behind(side.sent, entry.last, void_spans_max);
  const std::uint64_t bytes = window_bytes_of_spans(part.spans.size());
  if (!admits(link, journal, bytes)) return false;
  side.out.add(part.last, bytes);
  const PositionRange range{side.sent + 1, part.last};
  side.sent = part.last;
  send(link, AppendVoid{link.session, journal, range, std::move(part.spans)});
  return true;
}

bool Journal::State::skip(Link& link, JournalKind journal, Position last) {
  Side& side = link.sides[journal_index(journal)];
  if (!admits(link, journal, record_window_bytes)) return false;
  side.out.add(last, record_window_bytes);
  const PositionRange range{side.sent + 1, last};
  side.sent = last;
  send(link, SkipRange{link.session, journal, range});
  return true;
}

void Journal::State::tell_released(Link& link, JournalKind journal) {
  const Book& told = book(journal);
  Side& side = link.sides[journal_index(journal)];
  for (std::uint8_t spools = 1; spools <= told.required_max; ++spools) {
    const Position through = told.released[spools - 1u];
    if (std::exchange(side.released[spools - 1u], through) != through) {
      send(link, Released{link.session, journal, spools, through});
    }
  }
}

bool Journal::State::is_through(const Link& link) const {
  return std::ranges::all_of(all_journals, [&](JournalKind journal) {
    return link.sides[journal_index(journal)].sent == book(journal).records.last();
  });
}

}  // namespace legion
