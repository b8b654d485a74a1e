#include <legion/core/journal.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/journal_state.hpp>

namespace legion {

Journal::State::State(Origin own, BootId own_boot, Config configured, std::uint64_t seed)
    : origin(std::move(own)), boot(own_boot), config(configured), rng(seed) {
  book(JournalKind::Confirmed).bytes_max = config.confirmed_bytes;
  book(JournalKind::Captured).bytes_max = config.captured_bytes;
}

Journal::Journal(Origin origin, BootId boot, Config config, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(origin), boot, config, seed)) {}
Journal::~Journal() = default;

std::uint64_t Journal::cost(std::size_t frame_bytes) { return JournalRecords::cost(frame_bytes); }

void Journal::expect_spools(std::uint8_t spools) {
  state_->expected_spools = std::max(state_->expected_spools, std::min(spools, required_spools_max));
}

Position Journal::append(Now now, JournalKind journal, JournalFrame frame) {
  State& state = *state_;
  LEGION_ASSERT(!state.closing);
  LEGION_ASSERT(frame.spools >= 1 && frame.spools <= required_spools_max && frame.count >= 1);
  const auto type_offset = reinterpret_cast<const std::uint8_t*>(frame.type.data()) - frame.bytes->data();
  LEGION_ASSERT(frame.type.size() <= limits::wire_type_bytes_max && type_offset >= 0 && type_offset <= UINT16_MAX);
  state.now = now;
  State::Book& book = state.book(journal);
  book.required_max = std::max(book.required_max, frame.spools);
  book.appended_events += frame.count;

  JournalEntry entry;
  entry.sequence = frame.first;
  entry.events = frame.count;
  entry.type_offset = static_cast<std::uint16_t>(type_offset);
  entry.type_bytes = static_cast<std::uint8_t>(frame.type.size());
  entry.shard = frame.shard;
  entry.lane = frame.lane;
  entry.spools = frame.spools;
  entry.held_for = frame.after_confirm ? frame.spools : std::uint8_t{0};
  entry.frame = std::move(frame.bytes);
  const Position position = book.records.append(std::move(entry));
  if (book.records.bytes() > book.bytes_max) state.make_room(journal);
  return position;
}

void Journal::on_link_up(Now now, const std::string& spool) {
  state_->now = now;
  State::Link& link = state_->links[spool];
  link.spool = spool;
  link.patience = state_->config.resend_after;
  state_->open(link);
}

void Journal::on_link_down(Now now, const std::string& spool) {
  state_->now = now;
  const auto found = state_->links.find(spool);
  if (found != state_->links.end()) state_->take_down(found->second);
}

void Journal::on_spool_gone(Now now, const std::string& spool) {
  state_->now = now;
  if (state_->links.erase(spool) == 0) return;
  for (const JournalKind journal : all_journals) state_->drop_what_all_have(journal);
}

void Journal::on_message(Now now, const std::string& spool, const FromSpool& message) {
  state_->now = now;
  const auto found = state_->links.find(spool);
  if (found == state_->links.end()) return;
  State::Link& link = found->second;
  const auto session = std::visit([](const auto& given) { return given.session; }, message);
  if (session != link.session || link.state == LinkFigures::State::Down) {
    ++link.ignored;  // late, of a session that is over
    return;
  }
  std::visit([&](const auto& given) { state_->on(link, given); }, message);
}

void Journal::on_tick(Now now) {
  state_->now = now;
  for (auto& [spool, link] : state_->links) state_->tick(link);
}

void Journal::close(Now now) {
  state_->now = now;
  state_->closing = true;
}

std::vector<Journal::Effect> Journal::take_effects() {
  std::vector<Effect> effects;
  take_effects(effects);
  return effects;
}

void Journal::take_effects(std::vector<Effect>& effects) {
  state_->fill_windows();
  effects.clear();
  effects.swap(state_->effects);
}

std::uint64_t Journal::take_released_bytes() { return std::exchange(state_->released_bytes, 0); }

Journal::Figures Journal::figures(JournalKind journal) const {
  const State::Book& book = state_->book(journal);
  return {.last = book.records.last(),
          .durable = book.durable[0],
          .bytes = book.records.bytes(),
          .bytes_max = book.bytes_max,
          .appended_events = book.appended_events,
          .unconfirmed_events = book.appended_events - book.durable_events - book.voided_events,
          .durable_events = book.durable_events,
          .voided_events = book.voided_events};
}

std::uint64_t Journal::waiting_events(JournalKind journal) const {
  const State::Book& book = state_->book(journal);
  std::uint64_t events = 0;
  JournalRecords::Hint hint = 0;
  const Position everywhere = book.required_max == 0 ? 0 : book.durable[book.required_max - 1u];
  for (Position next = std::max(everywhere, book.records.gone_through()) + 1; next <= book.records.last();) {
    const JournalEntry& entry = book.records.find(next, hint);
    next = entry.last + 1;
    if (entry.is_frame() && !book.is_satisfied(entry)) events += entry.events;
  }
  return events;
}

std::vector<Journal::LinkFigures> Journal::links() const {
  std::vector<LinkFigures> figures;
  for (const auto& [spool, link] : state_->links) {
    figures.push_back({.spool = spool,
                       .state = link.state,
                       .store = link.store,
                       .acknowledged = {link.sides[0].acknowledged, link.sides[1].acknowledged},
                       .sent = {link.sides[0].sent, link.sides[1].sent},
                       .ignored = link.ignored,
                       .trouble = link.trouble});
  }
  return figures;
}

bool Journal::degraded() const {
  const std::size_t needed = std::max(state_->expected_spools, state_->book(JournalKind::Confirmed).required_max);
  std::vector<StoreId> open;
  for (const auto& [spool, link] : state_->links) {
    if (link.state == LinkFigures::State::Open) open.push_back(*link.store);
  }
  std::ranges::sort(open);
  const auto repeated = std::ranges::unique(open);
  return open.size() - repeated.size() < needed;
}

}  // namespace legion
