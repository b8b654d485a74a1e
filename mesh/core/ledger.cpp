#include <legion/core/ledger.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/base/planted.hpp>
#include <legion/core/ledger_state.hpp>

namespace legion {

Ledger::Ledger(std::string receiver, std::optional<Origin> own, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(receiver), std::move(own), seed)) {}
Ledger::~Ledger() = default;
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;

LedgerSubscription Ledger::add_subscription(const Filter& filter) {
  State& s = *state_;
  const auto subscription = static_cast<LedgerSubscription>(s.subscriptions.size());
  s.subscriptions.push_back({.filter = filter, .folded = {}});
  s.active.push_back(subscription);
  s.wanted_cache.clear();
  ++s.generation;
  return subscription;
}

void Ledger::remove_subscription(LedgerSubscription subscription) { state_->drop_subscription(subscription); }

std::vector<Filter> Ledger::filters() const {
  std::vector<Filter> out;
  for (const LedgerSubscription s : state_->active) out.push_back(state_->subscriptions[s].filter);
  std::ranges::sort(out);
  const auto repeated = std::ranges::unique(out);
  out.erase(repeated.begin(), repeated.end());
  return out;
}

bool Ledger::wanted(std::string_view type) const { return state_->wanted(type); }

// --- sync ------------------------------------------------------------------------------------------------------------

SyncTopic Ledger::begin_sync(Now now, const std::string& origin_name, Priority lane) {
  state_->sync_open_since(now.steady);
  return state_->syncs.begin(now, origin_name, lane, static_cast<LedgerSubscription>(state_->subscriptions.size()));
}

std::vector<Ledger::DueSync> Ledger::overdue_syncs(Now now, Duration retry_after) const {
  std::vector<DueSync> out;
  if (now.steady - state_->oldest_open_sync < retry_after) return out;
  SteadyTime oldest = now.steady;
  const auto visit = [&](const std::string& origin, Priority lane, const LedgerSyncs::UnderWay* under_way) {
    const LedgerLife* life = state_->present_life(origin);
    if (life != nullptr && life->dead) return;
    const bool never_synced = life != nullptr && !life->lanes[lane_index(lane)].synced;
    if (under_way == nullptr && !never_synced) return;
    const SteadyTime since = under_way != nullptr ? under_way->since : life->known_since;
    oldest = std::min(oldest, since);
    const Duration wait = retry_after * (under_way != nullptr ? under_way->patience : 1);
    if (now.steady - since >= wait) out.push_back({origin, lane});
  };
  state_->syncs.for_each_begun(visit);
  state_->oldest_open_sync = oldest;
  return out;
}

std::vector<std::pair<Priority, SyncTopic>> Ledger::retired_topics() { return state_->syncs.take_retired(); }

bool Ledger::on_sync_part(Now now, Priority lane, const ReceivedSyncPart& received) {
  State& s = *state_;
  const std::string& node = received.topic.origin;
  if (s.is_own_name(node)) return false;
  const LedgerLife* known = s.present_life(node);
  LedgerSyncs::UnderWay* sync = s.syncs.accept(lane, received, known != nullptr ? known->origin.incarnation : 0);
  if (sync == nullptr) return false;
  LedgerLife* life = s.present_at_least(now, node, received.part.origin.incarnation);
  if (life == nullptr) return false;

  for (const Tail& tail : received.part.tails) {
    if (tail.next_sequence == 0 || tail.next_sequence > sequence_max) {
      ++s.totals_of(lane).implausible;
    } else if (!s.wanted(tail.type)) {
      continue;
    } else if (sync->tails.size() >= limits::streams_per_origin_max) {
      ++s.totals_of(lane).refused_streams;
      life->overflowed = true;
    } else {
      sync->tails.push_back(tail);
    }
  }
  if (!received.part.last) return false;
  s.apply_echo(*life, lane, s.syncs.complete(node, lane));
  return true;
}

void Ledger::on_links_closed(const std::string& origin_name) { state_->syncs.close(origin_name); }

bool Ledger::synced(const std::string& origin_name) const {
  const LedgerLife* life = state_->present_life(origin_name);
  return life != nullptr && std::ranges::all_of(life->lanes, &LedgerLife::Lane::synced);
}

// --- frames ----------------------------------------------------------------------------------------------------------

FrameVerdict Ledger::on_frame(Now now, const FrameHeader& header) {
  State& s = *state_;
  FrameVerdict verdict{.routes = &s.no_routes};
  if (lane_index(header.lane) >= limits::lane_count) {
    verdict.skip = header.event_count;
    return verdict;
  }
  Totals& totals = s.totals_of(header.lane);
  totals.markers += header.is_tail_marker() ? 1 : 0;
  totals.frames += header.is_tail_marker() ? 0 : 1;
  totals.events += header.event_count;

  const auto skip_all = [&](std::uint64_t& counter, std::uint64_t by) {
    counter += by;
    verdict.skip = header.event_count;
    return verdict;
  };
  const std::uint64_t end = header.first_sequence + header.event_count;
  if (header.first_sequence == 0 || header.first_sequence > sequence_max || end > sequence_max) {
    return skip_all(totals.implausible, 1);
  }
  LedgerStream* stream =
      s.find_stream({header.origin, header.incarnation, header.lane, header.type, header.shard});
  if (stream == nullptr) {
    switch (s.admit(now, header, stream)) {
      case State::Admission::Admitted: break;
      case State::Admission::NotWanted: return verdict;
      case State::Admission::OldIncarnation: return skip_all(totals.duplicates, header.event_count);
      case State::Admission::OutOfBounds: return skip_all(totals.refused_streams, 1);
      case State::Admission::Implausible: return skip_all(totals.implausible, 1);
    }
  }
  verdict.stream = stream->number;
  if (stream->life->over) return skip_all(totals.duplicates, header.event_count);

  s.refresh_routes(*stream);
  verdict.routes = &stream->routes;
  if (header.first_sequence > stream->next) {
    if (LEGION_PLANTED(GapIgnoredAtTheTail) && header.is_tail_marker()) return verdict;
    verdict.gap = header.first_sequence - stream->next;
    totals.lost_link += stream->miss_up_to(header.first_sequence);
  }
  const std::uint64_t seen = std::min<std::uint64_t>(stream->next - header.first_sequence, header.event_count);
  verdict.skip = static_cast<std::uint32_t>(seen);
  totals.duplicates += seen;
  stream->next = std::max(stream->next, end);
  return verdict;
}

// --- origins ---------------------------------------------------------------------------------------------------------

void Ledger::on_origin_incarnation(Now now, const Origin& origin) {
  if (origin.incarnation != 0) state_->present_at_least(now, origin.node, origin.incarnation);
}

void Ledger::on_origin_dead(Now now, const Origin& origin) {
  const LedgerLife* known = state_->present_life(origin.node);
  if (known == nullptr || origin.incarnation < known->origin.incarnation) return;
  LedgerLife* life = state_->present_at_least(now, origin.node, origin.incarnation);
  if (life->origin == origin && !life->own) life->dead = true;
}

void Ledger::on_origin_back(Now now, const Origin& origin) {
  on_origin_incarnation(now, origin);
  if (LedgerLife* life = state_->present_life(origin.node); life != nullptr && life->origin == origin) {
    life->dead = false;
    state_->sync_open_since({});  // those it had open count again, however old they are
  }
}

void Ledger::forget_origin(const std::string& origin_name) {
  State& s = *state_;
  s.syncs.close(origin_name);
  const auto found = s.names.find(origin_name);
  if (found == s.names.end() || s.is_own_name(origin_name)) return;
  for (LedgerLife* life : {found->second.present.get(), found->second.previous.get()}) {
    if (life != nullptr) s.fold(*life);
  }
  s.names.erase(found);
}

void Ledger::on_foreign_tails(const Origin& origin, Priority lane, const std::vector<Tail>& tails) {
  State& s = *state_;
  LedgerLife* life = s.find_life(origin);
  if (life == nullptr || life->own) return;
  for (const Tail& tail : tails) {
    if (tail.next_sequence == 0 || tail.next_sequence > sequence_max) {
      ++s.totals_of(lane).implausible;
      continue;
    }
    LedgerStream* stream = s.find_stream({origin.node, origin.incarnation, lane, tail.type, tail.shard});
    const LedgerSubscription covered = life->lanes[lane_index(lane)].covered;
    if (stream == nullptr && !life->overflowed && s.wanted_by_covered(tail.type, covered)) {
      stream = s.make_stream(*life, lane, tail.type, tail.shard, 1);
      if (stream == nullptr) ++s.totals_of(lane).refused_streams;
    }
    if (stream != nullptr) stream->foreign_tail = std::max(stream->foreign_tail, tail.next_sequence);
  }
}

std::vector<Tail> Ledger::known_tails(const Origin& origin, Priority lane) const {
  std::vector<Tail> out;
  const LedgerLife* life = state_->find_life(origin);
  if (life == nullptr) return out;
  for (const std::unique_ptr<LedgerStream>& stream : life->lanes[lane_index(lane)].streams) {
    if (stream->next > 1) out.push_back({stream->type, stream->shard, stream->next});
  }
  return out;
}

// --- books -----------------------------------------------------------------------------------------------------------

Books Ledger::books(LedgerSubscription subscription) const {
  LEGION_ASSERT(subscription < state_->subscriptions.size());
  Books out = state_->subscriptions[subscription].folded;
  for (const LedgerStream* stream : state_->index) {
    const auto route = std::ranges::find(stream->routes, subscription, &LedgerRoute::subscription);
    if (route == stream->routes.end()) continue;
    out += stream->books(static_cast<std::size_t>(route - stream->routes.begin()));
  }
  return out;
}

void Ledger::all_books(std::vector<Books>& out) const {
  out.clear();
  for (const State::Subscription& subscription : state_->subscriptions) out.push_back(subscription.folded);
  for (const LedgerStream* stream : state_->index) {
    for (std::size_t i = 0; i < stream->routes.size(); ++i) stream->add_books(i, out[stream->routes[i].subscription]);
  }
}

Ledger::Totals Ledger::totals(Priority lane) const { return state_->totals_of(lane); }

}  // namespace legion
