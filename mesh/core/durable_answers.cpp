// The answers of spools find those who asked.
#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

void DurableSubscriptions::on_claimed(Now now, QueryId id) {
  state_->now = now;
  const auto query = state_->take_query(id, durable::Query::Kind::Claim);
  if (!query) return;
  durable::Subscription& sub = state_->subs[query->subscription];
  const bool is_wanted = sub.phase != DurablePhase::Removed &&
                         !(sub.phase == DurablePhase::Refused && now.steady < sub.refused_until);
  if (!is_wanted) return state_->unclaim(sub, query->spool);
  durable::SpoolView& view = sub.spools[query->spool];
  view.claim = durable::SpoolView::Claim::Granted;
  view.claim_not_before = now.steady + state_->config.claim_every;
  state_->tick(sub);
}

void DurableSubscriptions::on_claim_refused(Now now, QueryId id, const std::string& holder) {
  state_->now = now;
  const auto query = state_->take_query(id, durable::Query::Kind::Claim);
  if (!query) return;
  state_->refuse(state_->subs[query->subscription], state_->spools[query->spool].known.name + " says: " + holder);
}

void DurableSubscriptions::on_cursor(Now now, QueryId id, std::optional<CursorRecord> merged,
                                     std::vector<AttemptRecord> attempts) {
  state_->now = now;
  if (const auto query = state_->take_query(id, durable::Query::Kind::Cursor)) {
    state_->take_cursor(*query, std::move(merged), std::move(attempts));
  }
}

void DurableSubscriptions::on_letters(Now now, QueryId id, std::vector<LetterRecord> letters, More more) {
  state_->now = now;
  if (const auto query = state_->take_query(id, durable::Query::Kind::Letters)) {
    state_->take_letters(query->spool, std::move(letters), more);
  }
}

void DurableSubscriptions::on_tails(Now now, QueryId id, std::vector<StoredTail> tails, More more) {
  state_->now = now;
  if (const auto query = state_->take_query(id, durable::Query::Kind::Tails)) {
    state_->take_tails(state_->subs[query->subscription], *query, tails, more);
  }
}

void DurableSubscriptions::on_stream(Now now, QueryId id, StreamAnswer answer) {
  state_->now = now;
  const auto query = state_->take_query(id, durable::Query::Kind::Stream);
  if (!query) return;
  durable::Subscription& sub = state_->subs[query->subscription];
  const durable::Slot& slot = state_->slots[query->stream];
  const bool is_asker = slot.use == durable::Slot::Use::Stream && slot.stream->query == id;
  if (is_asker) state_->take_page(sub, *slot.stream, *query, std::move(answer));
  state_->ask_streams(sub);
}

void DurableSubscriptions::on_found(Now now, QueryId id, std::optional<std::uint64_t> commit) {
  state_->now = now;
  const auto query = state_->take_query(id, durable::Query::Kind::Find);
  if (!query) return;
  durable::Subscription& sub = state_->subs[query->subscription];
  if (sub.creation && sub.creation->query == id) state_->take_found(sub, query->spool, commit);
}

void DurableSubscriptions::on_scan(Now now, QueryId id, ScanAnswer answer) {
  state_->now = now;
  const auto query = state_->take_query(id, durable::Query::Kind::Scan);
  if (!query) return;
  durable::Subscription& sub = state_->subs[query->subscription];
  if (sub.creation && sub.creation->query == id) state_->take_scan(sub, answer);
}

void DurableSubscriptions::State::query_failed(QueryId id, const std::string& why) {
  const auto found = queries.find(id);
  if (found == queries.end()) return;
  const auto query = take_query(id, found->second.kind);
  Subscription* sub = query->subscription < subs.size() ? &subs[query->subscription] : nullptr;
  const SteadyTime later = now.steady + config.ask_again_max;
  switch (query->kind) {
    case Query::Kind::Claim:
      sub->spools[query->spool].claim = SpoolView::Claim::No;
      sub->spools[query->spool].claim_not_before = later;
      return;
    case Query::Kind::Cursor:
      sub->spools[query->spool].load = SpoolView::Load::No;
      sub->spools[query->spool].load_not_before = later;
      return;
    case Query::Kind::Letters:
      letters_of[query->spool].load = SpoolView::Load::No;
      letters_of[query->spool].not_before = later;
      return;
    case Query::Kind::Tails:
      sub->spools[query->spool].tails = SpoolView::Tails::Wanted;
      sub->spools[query->spool].tails_not_before = later;
      return;
    case Query::Kind::Find:
    case Query::Kind::Scan:
      if (!sub->creation || sub->creation->query != id) return;
      sub->creation->scan = Creation::Scan::None;
      sub->creation->scan_spool = static_cast<std::uint32_t>((query->spool + 1) % spools.size());
      sub->creation->not_before = later;
      sub->trouble = spools[query->spool].known.name + ": " + why;
      return;
    case Query::Kind::Stream: break;
  }
  const Slot& slot = slots[query->stream];
  if (slot.use == Slot::Use::Stream && slot.stream->query == id)
    stream_query_failed(*sub, *slot.stream, query->spool, why);
  ask_streams(*sub);
}

}  // namespace legion
