#include <legion/core/durable.hpp>

#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

std::string_view to_string(DurablePhase phase) {
  switch (phase) {
    case DurablePhase::Waiting: return "waiting";
    case DurablePhase::Loading: return "loading";
    case DurablePhase::Creating: return "creating";
    case DurablePhase::Active: return "active";
    case DurablePhase::Refused: return "refused";
    case DurablePhase::Removed: return "removed";
    case DurablePhase::Standby: return "standby";
  }
  LEGION_UNREACHABLE();
}

DurableSubscriptions::DurableSubscriptions(DurableConfig config) : state_(std::make_unique<State>(std::move(config))) {}
DurableSubscriptions::~DurableSubscriptions() = default;
DurableSubscriptions::DurableSubscriptions(DurableSubscriptions&&) noexcept = default;
DurableSubscriptions& DurableSubscriptions::operator=(DurableSubscriptions&&) noexcept = default;

void DurableSubscriptions::add_handler(DurableHandler handler) {
  State& state = *state_;
  LEGION_ASSERT(handler.subscription.value == state.handlers.size());
  durable::Subscription* sub = nullptr;
  if (!handler.durable.empty()) {
    LEGION_ASSERT(is_cursor_name(handler.durable) && state.find(handler.durable) == nullptr);
    sub = &state.subs.emplace_back();
    sub->spec = handler;
    sub->number = static_cast<std::uint32_t>(state.subs.size() - 1);
    sub->loaded.subscription = handler.durable;
    // Added later than the spools: each is asked for its cursor, and for letters that were being requeued.
    sub->spools.resize(state.spools.size());
    for (auto& letters : state.letters_of) letters = {};
    if (sub->is_leased()) state.stand_by(*sub, {});
  }
  state.sub_of_handler.push_back(sub);
  state.handlers.push_back(std::move(handler));
}

bool DurableSubscriptions::is_durable(SubscriptionId subscription) const {
  return state_->sub_of(subscription) != nullptr;
}

void DurableSubscriptions::on_start_in_flight(std::vector<InFlightEntry> entries) {
  state_->in_flight = std::move(entries);
  state_->past = State::Past::Known;
  const auto in_hands = [](const InFlightEntry& entry) { return entry.stage == InFlightEntry::Stage::InHands; };
  if (std::ranges::any_of(state_->in_flight, in_hands)) state_->probation = State::Probation::Yes;
}

std::optional<StreamKey> DurableSubscriptions::on_frame(Now now, SubscriptionId subscription, const FramePtr& frame,
                                                        std::uint32_t skip, std::uint32_t hint) {
  state_->now = now;
  durable::Subscription* sub = state_->sub_of(subscription);
  LEGION_ASSERT(sub != nullptr);
  if (sub->spec.share && !sub->spec.share->takes(frame->header().shard)) return std::nullopt;
  if (sub->phase != DurablePhase::Active || skip >= frame->header().event_count) return std::nullopt;
  if (sub->is_closing()) return std::nullopt;  // whoever has it next reads it from a spool
  return state_->take_frame(*sub, frame, skip, hint);
}

void DurableSubscriptions::on_tail(Now now, const StreamId& stream, std::uint64_t next) {
  state_->now = now;
  if (next > durable::highest_sequence) return;  // nobody publishes that many
  for (durable::Subscription& sub : state_->subs) {
    if (sub.phase != DurablePhase::Active || !sub.takes(stream)) continue;
    if (!sub.streams.contains(stream) && !state_->config.is_journalled(stream.type)) continue;
    durable::Stream& found = state_->stream_of(sub, stream, no_stream);
    if (found.kept == durable::Stream::Kept::Yes) {
      state_->learn_tail(sub, found, next);
    } else if (next > found.next) {  // of what nobody keeps the next live event would say so, if there is one
      state_->lose(sub, found, next - 1, "not_journalled");
    }
  }
}

void DurableSubscriptions::on_spools(Now now, std::vector<KnownSpool> spools) {
  state_->now = now;
  state_->take_spools(std::move(spools));
  state_->tick();
}

void DurableSubscriptions::on_query_failed(Now now, QueryId query, const Error& error) {
  state_->now = now;
  state_->query_failed(query, error.message);
}

void DurableSubscriptions::on_recorded(Now now, RecordToken token) {
  state_->now = now;
  state_->on_written(token);
}

void DurableSubscriptions::on_tick(Now now) {
  state_->now = now;
  state_->tick();
}

void DurableSubscriptions::begin_drain(Now now) {
  state_->now = now;
  state_->intake = State::Intake::Draining;
}

void DurableSubscriptions::close(Now now) {
  state_->now = now;
  state_->intake = State::Intake::Draining;
  for (durable::Subscription& sub : state_->subs) state_->write_cursors(sub, State::When::AtOnce);
}

std::vector<DurableEffect> DurableSubscriptions::take_effects() {
  state_->offers_pending = 0;
  return std::exchange(state_->effects, {});
}

Books DurableSubscriptions::books(SubscriptionId subscription) const {
  Books books;
  const durable::Subscription* sub = state_->sub_of(subscription);
  if (sub == nullptr) return books;
  books.published = sub->published;
  books.dead = sub->died_unhanded;
  books.lost_for(LossReason::Gone) = sub->lost;
  books.pending = state_->waiting_of(*sub);
  return books;
}

std::optional<std::string> DurableSubscriptions::check() const { return state_->check(); }

// --- what several parts share ----------------------------------------------------------------------------------------

void DurableSubscriptions::State::take_spools(std::vector<KnownSpool> given) {
  bool changed = false;
  for (Spool& spool : spools) {
    const bool stays = std::ranges::find(given, spool.known.name, &KnownSpool::name) != given.end();
    changed |= !stays && spool.present == Spool::Present::Yes;
    if (!stays) spool.present = Spool::Present::No;
  }
  for (KnownSpool& known : given) {
    auto found = std::ranges::find(spools, known.name, [](const Spool& spool) { return spool.known.name; });
    if (found == spools.end()) {
      spools.push_back({.known = {known.name}, .present = Spool::Present::No});
      found = spools.end() - 1;
      for (Subscription& sub : subs) {
        sub.spools.resize(spools.size());
        ask_before_it_begins(sub);
      }
      letters_of.resize(spools.size());
    }
    const auto number = static_cast<std::uint32_t>(found - spools.begin());
    const bool was_reachable = found->is_reachable();
    const bool moved = found->known.mark != known.mark;
    changed |= found->present == Spool::Present::No;
    found->present = Spool::Present::Yes;
    found->known = std::move(known);
    if (found->is_reachable() && !was_reachable) on_spool_reachable(number);
    if (moved) on_spool_moved(number);
  }
  if (!changed) return;
  for (Subscription& sub : subs) {
    for (const StreamKey key : sub.lacking) slots[key].stream->not_before = now.steady;
  }
}

/// It may have forgotten who has which name, and have what others have not.
void DurableSubscriptions::State::on_spool_reachable(std::uint32_t spool) {
  for (Subscription& sub : subs) sub.spools[spool] = {};
  letters_of[spool] = {};
  on_spool_moved(spool);
}

void DurableSubscriptions::State::on_spool_moved(std::uint32_t spool) {
  for (Subscription& sub : subs) {
    SpoolView& view = sub.spools[spool];
    const bool is_active = sub.phase == DurablePhase::Active;
    if (is_active && view.tails == SpoolView::Tails::Done) view.tails = SpoolView::Tails::Wanted;
    for (const StreamKey key : sub.lacking) {
      Stream& stream = *slots[key].stream;
      for (Verdict& verdict : stream.verdicts) {
        if (verdict.spool == spool && verdict.kind == Verdict::Kind::Missing) verdict.until = now.steady;
      }
      stream.not_before = now.steady;
    }
  }
}

void DurableSubscriptions::State::tick() {
  std::vector<QueryId> late;
  for (const auto& [id, query] : queries) {
    if (now.steady - query.asked_at > config.query_timeout) late.push_back(id);
  }
  std::ranges::sort(late);
  for (const QueryId id : late) query_failed(id, "no answer");
  for (Subscription& sub : subs) tick(sub);
  ask_letters();
  give_up_entries();
  if (probation == Probation::Yes) watch_suspects();
  offer_requeues();
}

void DurableSubscriptions::State::tick(Subscription& sub) {
  switch (sub.phase) {
    case DurablePhase::Waiting:
    case DurablePhase::Loading:
    case DurablePhase::Refused: seek(sub); return;
    case DurablePhase::Creating: work_on_creation(sub); return;
    case DurablePhase::Removed: return;
    case DurablePhase::Standby: begin_lease(sub); return;
    case DurablePhase::Active: break;
  }
  work_on_release(sub);
  if (sub.phase != DurablePhase::Active) return;
  keep_claims(sub);
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) ask_cursor(sub, spool);
  ask_tails(sub);
  const std::vector<StreamKey> lacking(sub.lacking.begin(), sub.lacking.end());
  for (const StreamKey key : lacking) {
    if (slots[key].use == Slot::Use::Stream) want_repair(sub, *slots[key].stream);
  }
  write_cursors(sub, When::Due);
}

QueryId DurableSubscriptions::State::ask(std::uint32_t spool, Query query, decltype(SpoolQuery::what) what) {
  query.spool = spool;
  query.asked_at = now.steady;
  const QueryId id = ++last_query;
  queries.emplace(id, query);
  effects.push_back(SpoolQuery{id, spools[spool].known.name, std::move(what)});
  return id;
}

std::optional<durable::Query> DurableSubscriptions::State::take_query(QueryId id, Query::Kind kind) {
  const auto found = queries.find(id);
  if (found == queries.end() || found->second.kind != kind) return std::nullopt;
  const Query query = found->second;
  queries.erase(found);
  if (kind == Query::Kind::Stream) --subs[query.subscription].queries_out;
  return query;
}

StreamKey DurableSubscriptions::State::take_slot(Slot::Use use) {
  if (free_slots.empty()) {
    free_slots.push_back(static_cast<StreamKey>(slots.size()));
    slots.emplace_back();
  }
  const StreamKey key = free_slots.back();
  free_slots.pop_back();
  slots[key].use = use;
  return key;
}

void DurableSubscriptions::State::give_back_slot(StreamKey key) {
  slots[key] = {};
  free_slots.push_back(key);
}

durable::Subscription* DurableSubscriptions::State::find(std::string_view name) {
  const auto found =
      std::ranges::find(subs, name, [](const Subscription& sub) -> std::string_view { return sub.spec.durable; });
  return found == subs.end() ? nullptr : &*found;
}

}  // namespace legion
