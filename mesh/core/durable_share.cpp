// Shares of a group: a durable subscription that works under leases. docs/protocol.md, "Groups".
#include <algorithm>

#include <legion/base/planted.hpp>
#include <legion/core/durable_state.hpp>

namespace legion {

namespace {

std::uint64_t events_under_way(const durable::Subscription& sub) {
  std::uint64_t events = 0;
  for (const std::uint64_t lane : sub.under_way) events += lane;
  return events;
}

}  // namespace

void DurableSubscriptions::on_lease(Now now, SubscriptionId subscription, std::uint64_t epoch) {
  state_->now = now;
  durable::Subscription* sub = state_->sub_of(subscription);
  LEGION_ASSERT(sub != nullptr && sub->is_leased());
  if (sub->phase == DurablePhase::Removed) return;
  if (sub->lease) state_->stand_by(*sub, {});
  sub->lease = durable::Lease{.epoch = epoch};
  state_->begin_lease(*sub);
}

void DurableSubscriptions::on_lease_revoked(Now now, SubscriptionId subscription) {
  state_->now = now;
  durable::Subscription* sub = state_->sub_of(subscription);
  LEGION_ASSERT(sub != nullptr && sub->is_leased());
  if (!sub->lease || sub->is_closing()) return;
  sub->lease->stage = durable::Lease::Stage::Revoked;
  sub->trouble = "finishes what is in hands, for another member";
  state_->recall(*sub);
  state_->work_on_release(*sub);
}

void DurableSubscriptions::on_lease_lost(Now now, SubscriptionId subscription) {
  state_->now = now;
  durable::Subscription* sub = state_->sub_of(subscription);
  LEGION_ASSERT(sub != nullptr && sub->is_leased());
  if (!sub->lease) return;
  const std::uint64_t stale = events_under_way(*sub);
  state_->log(DurableLog::Level::Warning, "share " + sub->spec.durable + ": lease " +
                                              std::to_string(sub->lease->epoch) + " is lost; " + std::to_string(stale) +
                                              " events under way count for nothing");
  state_->stand_by(*sub, "another member has it");
}

void DurableSubscriptions::on_no_lease(SubscriptionId subscription, const std::string& why) {
  durable::Subscription* sub = state_->sub_of(subscription);
  LEGION_ASSERT(sub != nullptr && sub->is_leased());
  if (sub->phase == DurablePhase::Standby && !sub->lease) sub->trouble = why;
}

/// What was under way under an earlier lease is over first: this node hands nothing over twice at a time.
void DurableSubscriptions::State::begin_lease(Subscription& sub) {
  if (!sub.lease || intake == Intake::Draining) return;
  if (events_under_way(sub) > 0) {
    sub.trouble = "waits for what is under way since an earlier lease";
    return;
  }
  sub.phase = DurablePhase::Waiting;
  seek(sub);
}

/// The one that had it last gave it back, or was found dead, by what its home knew.
bool DurableSubscriptions::State::has_cursor_of_home(const Subscription& sub) const {
  const auto found = std::ranges::find(spools, sub.spec.home, [](const Spool& spool) { return spool.known.name; });
  if (found == spools.end()) return false;
  return sub.spools[static_cast<std::size_t>(found - spools.begin())].load == SpoolView::Load::Done;
}

/// Records that it has it: the whole cursor under its own generation, before anything is offered. From then on whatever
/// an earlier holder still writes loses. A cursor whose beginning was cut short is taken as it is: what it lacks comes
/// again.
void DurableSubscriptions::State::go_on_with_share(Subscription& sub) {
  const auto about = CursorFilter::parse(sub.loaded.filter);
  const bool is_removed = sub.loaded.form == CursorRecord::Form::Removed;
  if (!is_removed && (!about || about->share != sub.spec.share)) {
    std::string why = "its cursor is of \"" + sub.loaded.filter + "\", this subscription says \"" +
                      sub.cursor_filter() + "\": another number of shares needs the old ones removed";
    if (sub.trouble != why) log(DurableLog::Level::Error, "share " + sub.spec.durable + ": " + why);
    sub.phase = DurablePhase::Loading;
    sub.trouble = std::move(why);
    return;
  }
  const CursorGeneration own{sub.lease->epoch, config.node};
  const CursorGeneration& found = sub.loaded.generation;
  if (found.counter >= own.counter && found != own) return give_way(sub, found);
  sub.last_holder = found.node;
  if (sub.reset_to) return create(sub, *std::exchange(sub.reset_to, std::nullopt), {});
  if (is_removed) return create(sub, sub.spec.start, {});
  if (sub.loaded.filter != sub.cursor_filter()) return create(sub, sub.spec.start, sub.loaded);
  sub.phase = DurablePhase::Creating;
  sub.trouble = "waits until it is recorded that it has it";
  sub.generation = own;
  sub.creation = Creation{.start = sub.spec.start, .before = {}, .requests = {}};
  sub.creation->scan = Creation::Scan::Done;
  sub.creation->streams = std::move(sub.loaded.streams);
  sub.creation->written =
      write_streams(sub, CursorRecord::Form::Whole, sub.creation->streams, Written::Kind::Beginning);
}

/// What is under way and in nobody's hands is for whoever has the share next.
void DurableSubscriptions::State::recall(const Subscription& sub) {
  std::vector<StreamKey> streams;
  for (const auto& [id, key] : sub.streams) {
    if (slots[key].stream->under_way > 0) streams.push_back(key);
  }
  if (streams.empty()) return;
  std::ranges::sort(streams);
  effects.push_back(RecallOffers{sub.spec.subscription, std::move(streams)});
}

void DurableSubscriptions::State::on_recalled(const Recalled& recalled) {
  if (recalled.stream >= slots.size()) return;
  Slot& slot = slots[recalled.stream];
  if (slot.use != Slot::Use::Stream && slot.use != Slot::Use::Retired) return;
  Stream& stream = *slot.stream;
  Subscription& sub = subs[stream.subscription];
  if (sub.spec.subscription != recalled.subscription) return;
  LEGION_ASSERT(recalled.count <= stream.under_way);
  stream.under_way -= recalled.count;
  sub.under_way[lane_index(stream.id.lane)] -= recalled.count;
  if (slot.use == Slot::Use::Stream) return;
  sub.published -= recalled.count;
  forget_failing(sub, stream, recalled.first, recalled.first + recalled.count - 1);
  if (stream.under_way == 0) give_back_slot(recalled.stream);
}

/// Their attempts are in the spools, for whoever has the share next.
void DurableSubscriptions::State::forget_failing(const Subscription& sub, Stream& stream, std::uint64_t first,
                                                 std::uint64_t last) {
  const auto begin = stream.failing.lower_bound(first);
  const auto end = stream.failing.upper_bound(last);
  for (auto sequence = begin; sequence != end; ++sequence) {
    const EventId id{stream.id.origin.node, stream.id.origin.incarnation, stream.id.lane, stream.id.type,
                     stream.id.shard,       *sequence};
    effects.push_back(InFlightOver{sub.spec.agent, id.to_string()});
  }
  stream.failing.erase(begin, end);
}

/// What is asked of spools under this lease is not listened to under the next: it may be older.
void DurableSubscriptions::State::stand_by(Subscription& sub, std::string why) {
  recall(sub);
  for (const auto& [id, key] : sub.streams) {
    Stream& stream = *slots[key].stream;
    if (stream.under_way == 0) forget_failing(sub, stream, 1, durable::highest_sequence);
  }
  sub.phase = DurablePhase::Standby;
  sub.trouble = why.empty() ? "has no lease" : std::move(why);
  sub.lease.reset();
  std::erase_if(queries, [&](const auto& entry) {
    return entry.second.kind != Query::Kind::Letters && entry.second.subscription == sub.number;
  });
  sub.queries_out = 0;
  give_up_streams(sub);
  for (SpoolView& view : sub.spools) view = {};
}

/// A cursor of a generation that this lease does not exceed: its home has to give a higher one.
void DurableSubscriptions::State::give_way(Subscription& sub, const CursorGeneration& other) {
  log(DurableLog::Level::Warning, "share " + sub.spec.durable + ": a spool has a cursor of generation " +
                                      std::to_string(other.counter) + "@" + other.node + ", not below lease " +
                                      std::to_string(sub.lease->epoch) + ", which is given back");
  effects.push_back(ShareReleased{sub.spec.subscription, sub.lease->epoch, other.counter});
  stand_by(sub, "a cursor has a higher epoch");
}

void DurableSubscriptions::State::work_on_release(Subscription& sub) {
  using Stage = durable::Lease::Stage;
  if (!sub.is_closing()) return;
  const bool is_recording = sub.phase == DurablePhase::Creating && sub.creation->written != 0;
  if (is_recording || sub.phase == DurablePhase::Removed) return;
  if (sub.phase != DurablePhase::Active) {  // nothing was offered
    effects.push_back(ShareReleased{sub.spec.subscription, sub.lease->epoch, 0});
    return stand_by(sub, {});
  }
  if (events_under_way(sub) > 0 && !LEGION_PLANTED(ShareMovesUnderWay)) return;
  const auto home = std::ranges::find(spools, sub.spec.home, [](const Spool& spool) { return spool.known.name; });
  if (home == spools.end()) return;
  const auto number = static_cast<std::uint32_t>(home - spools.begin());
  if (sub.lease->stage == Stage::Revoked) {
    write_cursors(sub, When::AtOnce);
    sub.lease->stage = Stage::Closing;
    sub.lease->final = last_token;
    SpoolView& view = sub.spools[number];
    if (view.load == SpoolView::Load::Done) view.load = SpoolView::Load::No;
    view.load_not_before = now.steady;
  }
  if (!written.empty() && written.begin()->first <= sub.lease->final) return;
  ask_cursor(sub, number);
}

/// Whether the next holder will find everything this one did.
void DurableSubscriptions::State::check_final_cursor(Subscription& sub, std::uint32_t spool,
                                                     const std::optional<CursorRecord>& merged) {
  if (!sub.lease || sub.lease->stage != durable::Lease::Stage::Closing) return;
  if (spools[spool].known.name != sub.spec.home) return;
  const bool is_ours = merged && merged->generation == sub.generation && merged->form == CursorRecord::Form::Whole;
  const bool has_all =
      is_ours && std::ranges::all_of(sub.streams, [&](const auto& entry) {
        const Stream& stream = *slots[entry.second].stream;
        const auto& progress = stream.progress;
        if (stream.kept == Stream::Kept::No || (progress.done() == 0 && progress.ahead().empty())) return true;
        const auto cursor = std::ranges::find(merged->streams, stream.id, &StreamCursor::stream);
        if (cursor == merged->streams.end()) return false;
        return cursor->done > progress.done() || (cursor->done == progress.done() && cursor->ahead == progress.ahead());
      });
  const bool is_confirmed = written.empty() || written.begin()->first > sub.lease->final;
  if (!has_all || !is_confirmed) {
    sub.spools[spool].load = SpoolView::Load::No;
    sub.spools[spool].load_not_before = now.steady + config.ask_again_min;
    return;
  }
  effects.push_back(ShareReleased{sub.spec.subscription, sub.lease->epoch, 0});
  stand_by(sub, {});
}

/// Whoever has the share now decides what becomes of the event.
bool DurableSubscriptions::State::is_of_lost_lease(const DeadLetter& letter) const {
  const Subscription* sub =
      letter.subscription.value < sub_of_handler.size() ? sub_of_handler[letter.subscription.value] : nullptr;
  if (sub == nullptr || !sub->is_leased() || letter.durable >= slots.size()) return false;
  return slots[letter.durable].use == Slot::Use::Retired;
}

/// Of a share that was elsewhere meanwhile: nobody here knows whether the last attempt that was recorded was made, so
/// it is made again.
std::uint32_t DurableSubscriptions::State::attempts_made(const Subscription& sub, std::uint32_t recorded) const {
  if (!sub.is_leased() || sub.last_holder == config.node) return attempts_made(recorded);
  return recorded > 0 ? recorded - 1 : 0;
}

}  // namespace legion
