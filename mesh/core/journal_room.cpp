// What is durable, and what gives way when room is needed.
#include <algorithm>
#include <string>

#include <legion/base/planted.hpp>
#include <legion/core/journal_state.hpp>

namespace legion {
namespace {

constexpr Duration between_void_lines = 10s;

}  // namespace

/// Tells what became durable.
void Journal::State::advance(JournalKind journal) {
  Book& in = book(journal);
  for (std::uint8_t spools = 1; spools <= in.required_max; ++spools) {
    const Position through = stores.on(spools, journal);
    if (through <= in.durable[spools - 1u]) continue;
    pass(journal, spools, through);
    if (spools > 1) in.records.reconsider();
    effects.push_back(Durable{journal, spools, through});
  }
}

/// Looks at the records that are now on `spools` stores, at each once for each number.
void Journal::State::pass(JournalKind journal, std::uint8_t spools, Position through) {
  Book& in = book(journal);
  Position& durable = in.durable[spools - 1u];
  bool held = false;
  for (Position next = std::max(durable, in.records.gone_through()) + 1; next <= through;) {
    const JournalEntry& entry = in.records.find(next, in.hints[spools - 1u]);
    next = entry.last + 1;
    if (!entry.is_frame() || entry.spools != spools) continue;
    in.durable_events += entry.events;
    held = held || entry.held_for != 0;
    if (journal == JournalKind::Confirmed) released_bytes += JournalRecords::cost(entry.frame->size());
  }
  durable = through;
  if (held) in.released[spools - 1u] = through;
}

void Journal::State::drop_what_all_have(JournalKind journal) {
  if (links.empty()) return;
  Book& in = book(journal);
  Position all = in.records.last();
  for (const auto& [spool, link] : links) all = std::min(all, link.sides[journal_index(journal)].acknowledged);
  while (in.records.bytes() > config.spare_bytes && !in.records.empty() && in.records.front().last <= all) {
    if (in.records.front().is_frame() && !in.is_satisfied(in.records.front())) return;
    in.records.drop_front();
  }
}

void Journal::State::make_room(JournalKind journal) {
  Book& in = book(journal);
  if (journal == JournalKind::Confirmed) {
    const auto may_go = [&](const JournalEntry& entry) { return in.is_satisfied(entry); };
    while (in.records.bytes() > in.bytes_max && in.records.drop_oldest(may_go)) {
    }
    return;
  }
  fill_windows();  // what can still be sent need not be given up
  // Not what was told once: a store may have lost it since.
  const Position on_a_store = LEGION_PLANTED(VoidOverAFrame) ? 0 : stores.on(1, journal);
  while (in.records.bytes() > in.bytes_max && in.records.front().last <= on_a_store) in.records.drop_front();
  while (in.records.bytes() > in.bytes_max && give_up_oldest()) {
  }
}

/// Of the captured journal. What is under way to a spool is spared, unless nothing else is left. False: only the newest
/// frame is.
bool Journal::State::give_up_oldest() {
  Book& in = book(JournalKind::Captured);
  const Position on_a_store = LEGION_PLANTED(VoidOverAFrame) ? 0 : stores.on(1, JournalKind::Captured);
  JournalRecords::GivenUp given_up = in.records.void_oldest(std::max(on_a_store, sent_furthest(JournalKind::Captured)));
  if (given_up.position == 0) given_up = in.records.void_oldest(on_a_store);
  if (given_up.position == 0) return false;
  if (given_up.position > in.durable[0]) in.voided_events += given_up.events;
  if (void_logged && now.steady - *void_logged < between_void_lines) return true;
  void_logged = now.steady;
  log(Level::Warning, "captured journal full: its oldest events are given up, " +
                          std::to_string(in.voided_events - voided_logged) + " since the last such line");
  voided_logged = in.voided_events;
  return true;
}

Position Journal::State::sent_furthest(JournalKind journal) const {
  Position furthest = 0;
  for (const auto& [spool, link] : links) {
    if (link.state == LinkState::Open) furthest = std::max(furthest, link.sides[journal_index(journal)].sent);
  }
  return furthest;
}

}  // namespace legion
