// From nothing to active: a spool, the name, the cursor.
#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

/// Works on it until the cursor of every spool that answers is here.
void DurableSubscriptions::State::seek(Subscription& sub) {
  if (intake == Intake::Draining) return;
  const bool any_reachable = std::ranges::any_of(spools, &Spool::is_reachable);
  const bool any_known =
      std::ranges::any_of(spools, [](const Spool& spool) { return spool.present == Spool::Present::Yes; });
  if (!any_reachable) {
    if (sub.phase == DurablePhase::Loading) sub.phase = DurablePhase::Waiting;
    if (sub.phase == DurablePhase::Waiting) sub.trouble = any_known ? "no spool is reachable" : "no spool is known";
    return;
  }
  if (sub.phase == DurablePhase::Refused && now.steady < sub.refused_until) return;
  if (sub.phase == DurablePhase::Waiting) {
    sub.phase = DurablePhase::Loading;
    sub.trouble = "asks the spools";
  }
  keep_claims(sub);
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) ask_cursor(sub, spool);
  decide_beginning(sub);
}

/// Asked again while it is held, too: after a pause of this process somebody else may have it, and no connection has
/// ended to tell.
void DurableSubscriptions::State::keep_claims(Subscription& sub) {
  if (sub.is_leased()) return;
  const auto number = sub.number;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    SpoolView& view = sub.spools[spool];
    const bool may_ask = spools[spool].is_reachable() && now.steady >= view.claim_not_before;
    if (!may_ask || view.claim == SpoolView::Claim::Asked) continue;
    view.claim = SpoolView::Claim::Asked;
    ask(spool, {.subscription = number, .kind = Query::Kind::Claim}, AskClaim{sub.spec.durable});
  }
}

void DurableSubscriptions::State::ask_cursor(Subscription& sub, std::uint32_t spool) {
  SpoolView& view = sub.spools[spool];
  const bool may_ask = spools[spool].is_reachable() && now.steady >= view.load_not_before;
  const bool may_read = view.claim == SpoolView::Claim::Granted || sub.is_leased();
  if (!may_ask || !may_read || view.load != SpoolView::Load::No) return;
  view.load = SpoolView::Load::Asked;
  ask(spool, {.subscription = sub.number, .kind = Query::Kind::Cursor}, AskCursor{sub.spec.durable});
}

void DurableSubscriptions::State::take_cursor(const Query& query, std::optional<CursorRecord> merged,
                                              std::vector<AttemptRecord> attempts) {
  Subscription& sub = subs[query.subscription];
  sub.spools[query.spool].load = SpoolView::Load::Done;
  if (sub.phase == DurablePhase::Standby) return;  // asked under a lease that is over
  if (sub.phase == DurablePhase::Active) {
    supersede(sub, merged);
    return check_final_cursor(sub, query.spool, merged);
  }
  if (merged) {
    ask_before_it_begins(sub);  // it is not new after all
    merged->subscription = sub.spec.durable;
    merge(sub.loaded, *merged);
  }
  for (AttemptRecord& attempt : attempts) {
    AttemptRecord& known = sub.attempts[attempt.event];
    if (known.attempts < attempt.attempts) known = std::move(attempt);
  }
  tick(sub);
}

/// Back to where it asks for its cursor, unless an operator wants it to begin anew: a spool that was not known when it
/// began to look for a beginning may have one, and what is recorded as a beginning counts for more.
void DurableSubscriptions::State::ask_before_it_begins(Subscription& sub) {
  if (sub.phase != DurablePhase::Creating || sub.creation->written != 0 || !sub.creation->requests.empty()) return;
  sub.creation.reset();
  sub.phase = DurablePhase::Loading;
}

/// A spool that was away when this subscription began may know a later life of its cursor than the one that is in
/// force. One with a new store has no beginning of it: with what is written from now on alone the subscription would
/// seem to be new after the next start.
void DurableSubscriptions::State::supersede(Subscription& sub, const std::optional<CursorRecord>& merged) {
  if (merged && merged->generation > sub.generation) return outrank(sub, merged->generation);
  const bool has_beginning =
      merged && merged->generation == sub.generation && merged->form == CursorRecord::Form::Whole;
  if (!has_beginning) write_whole(sub);
}

void DurableSubscriptions::State::outrank(Subscription& sub, const CursorGeneration& other) {
  if (other <= sub.generation) return;
  if (sub.is_leased()) return give_way(sub, other);
  log(DurableLog::Level::Warning, "durable subscription " + sub.spec.durable +
                                      ": a spool has a cursor of a later generation (" + std::to_string(other.counter) +
                                      "@" + other.node + "); the one in force replaces it");
  sub.generation = {other.counter + 1, config.node};
  write_whole(sub);
}

bool DurableSubscriptions::State::all_loaded(const Subscription& sub, Of which) const {
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    const bool counts = which == Of::Reachable ? spools[spool].is_reachable() : is_awaited(spool);
    if (counts && sub.spools[spool].load != SpoolView::Load::Done) return false;
  }
  return true;
}

/// Whether it goes on waiting for spools that do not answer.
bool DurableSubscriptions::State::is_patient(Subscription& sub) {
  if (!sub.waits_since) sub.waits_since = now.steady;
  return now.steady - *sub.waits_since < config.spool_patience;
}

/// The known ones that have not said what they have of it.
std::string DurableSubscriptions::State::silent_spools(const Subscription& sub) const {
  std::string names;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    if (!is_awaited(spool) || sub.spools[spool].load == SpoolView::Load::Done) continue;
    names += (names.empty() ? "" : ", ") + spools[spool].known.name;
  }
  return names;
}

void DurableSubscriptions::State::decide_beginning(Subscription& sub) {
  const bool any =
      std::ranges::any_of(sub.spools, [](const SpoolView& view) { return view.load == SpoolView::Load::Done; });
  if (!any) return;
  if (sub.is_leased() && !has_cursor_of_home(sub)) {
    sub.trouble = "waits for its home " + sub.spec.home + " to say where it was";
    return;
  }
  const bool is_known_cursor = sub.loaded.generation.counter > 0;
  // A cursor that is found is behind at worst. A subscription that only seems to be new would leave events out, and
  // what is written under an old generation counts for nothing.
  const bool goes_on = is_known_cursor && sub.spec.role == DurableHandler::Role::Consumer;
  const bool may_leave_out = sub.spec.role == DurableHandler::Role::Consumer && !sub.reset_to &&
                             !std::holds_alternative<StartBeginning>(sub.spec.start);
  if (!all_loaded(sub, goes_on ? Of::Reachable : Of::Known) && (is_patient(sub) || (may_leave_out && !goes_on))) {
    sub.phase = DurablePhase::Loading;  // also after a refusal: nobody else has the name any more
    sub.trouble = "waits for every spool to say where it was: " + silent_spools(sub) + "; a reset begins without them";
    return;
  }
  sub.waits_since.reset();
  sub.refusal.clear();
  if (sub.spec.role == DurableHandler::Role::StandIn) return decide_stand_in(sub);
  if (sub.is_leased() && is_known_cursor) return go_on_with_share(sub);
  if (sub.reset_to) return create(sub, *std::exchange(sub.reset_to, std::nullopt), {});
  if (sub.loaded.form == CursorRecord::Form::Whole && is_known_cursor) {
    if (sub.loaded.filter == sub.spec.filter.text()) return activate(sub);
    log(DurableLog::Level::Info, "durable subscription " + sub.spec.durable + ": its filter was " + sub.loaded.filter);
    return create(sub, sub.spec.start, sub.loaded);
  }
  create(sub, sub.spec.start, {});
}

/// Takes the cursor as it is, also one whose beginning was cut short.
void DurableSubscriptions::State::decide_stand_in(Subscription& sub) {
  const auto about = CursorFilter::parse(sub.loaded.filter);
  if (sub.loaded.generation.counter == 0 || sub.loaded.form == CursorRecord::Form::Removed || !about) {
    give_back_name(sub);
    sub.trouble = "no spool has its cursor";
    return;
  }
  sub.spec.filter = about->filter;
  sub.spec.share = about->share;
  if (sub.reset_to) return create(sub, *std::exchange(sub.reset_to, std::nullopt), {});
  activate(sub);
}

void DurableSubscriptions::State::refuse(Subscription& sub, std::string why) {
  if (sub.refusal != why) {
    sub.refusal = why;
    log(DurableLog::Level::Error, "durable subscription " + sub.spec.durable + ": another node has it: " + why);
  }
  // Not the same pause for everybody: two that hold what the other lacks would give way at the same time for ever.
  const auto more =
      std::hash<std::string>{}(config.node) % static_cast<std::uint64_t>(config.claim_every.count() / 2 + 1);
  sub.refused_until = now.steady + config.claim_every + Duration{static_cast<std::int64_t>(more)};
  give_up_claims(sub);
  for (SpoolView& view : sub.spools) view.claim_not_before = sub.refused_until;
  give_up_streams(sub);
  sub.phase = DurablePhase::Refused;
  sub.trouble = std::move(why);
}

/// Others may have the name.
void DurableSubscriptions::State::give_up_claims(Subscription& sub) {
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    // A stand-in is gone before the answers to its claims come.
    const bool may_hold = sub.spec.role == DurableHandler::Role::StandIn && spools[spool].is_reachable();
    if (may_hold || sub.spools[spool].claim == SpoolView::Claim::Granted) unclaim(sub, spool);
  }
  for (SpoolView& view : sub.spools) view = {};
}

void DurableSubscriptions::State::unclaim(const Subscription& sub, std::uint32_t spool) {
  effects.push_back(SpoolQuery{++last_query, spools[spool].known.name, AskUnclaim{sub.spec.durable}});
}

/// What is under way goes on; its numbers are used again once it is over.
void DurableSubscriptions::State::give_up_streams(Subscription& sub) {
  for (const auto& [id, key] : sub.streams) {
    Stream& stream = *slots[key].stream;
    sub.published -= waiting_in(stream);
    suspects -= static_cast<std::uint64_t>(std::ranges::count_if(
        stream.again, [](const auto& entry) { return entry.second.suspect == Again::Suspect::Yes; }));
    stream.again.clear();
    stream.held.clear();
    stream.offered.clear();
    if (stream.under_way == 0) {
      give_back_slot(key);
    } else {
      slots[key].use = Slot::Use::Retired;
    }
  }
  sub.streams.clear();
  sub.by_hint.clear();
  sub.repair_queue.clear();
  sub.lacking.clear();
  for (auto& queue : sub.room_queue) queue.clear();
  sub.dirty.clear();
  sub.held_bytes = 0;
  sub.moved = 0;
  sub.creation.reset();
  sub.loaded = {};
  sub.loaded.subscription = sub.spec.durable;
  sub.attempts.clear();
  sub.waits_since.reset();
}

void DurableSubscriptions::State::activate(Subscription& sub) {
  sub.phase = DurablePhase::Active;
  sub.trouble.clear();
  sub.generation = sub.loaded.generation;
  sub.written_at = now.steady;
  for (StreamCursor& cursor : sub.loaded.streams) {
    if (!sub.takes(cursor.stream) || sub.streams.contains(cursor.stream)) continue;
    Stream& stream = add_stream(sub, cursor.stream);
    stream.progress = durable::Progress(cursor.done, std::move(cursor.ahead));
    stream.next = cursor.done + 1;
    stream.known = stream.next;
    if (!stream.progress.ahead().empty()) stream.known = stream.progress.ahead().back().second + 1;
    sub.published += pending_in(stream);  // the holes before what is done ahead
  }
  sub.loaded.streams.clear();
  want_all_tails(sub);
  take_up_attempts(sub);
  if (sub.is_leased() && suspects > 0 && probation == Probation::No) {
    probation = Probation::Yes;  // of a share that comes back later than the rest
    probation_since = now.steady;
  }
  log(DurableLog::Level::Info, "durable subscription " + sub.spec.durable + " goes on with generation " +
                                   std::to_string(sub.generation.counter) + "@" + sub.generation.node + ", " +
                                   std::to_string(sub.streams.size()) + " streams");
  ask_tails(sub);
  if (probation == Probation::Yes) watch_suspects();
  for (const auto& [id, key] : std::vector(sub.streams.begin(), sub.streams.end())) pump(sub, *slots[key].stream);
}

/// What the records say, and over it what the process before this one had in hands: that is known to the event.
void DurableSubscriptions::State::take_up_attempts(Subscription& sub) {
  const auto entry_of = [&](const EventId& id) -> Again* {
    const StreamId stream_id{{id.node, id.incarnation}, id.lane, id.type, id.shard};
    const bool is_kept = config.is_journalled(id.type) || sub.streams.contains(stream_id);
    if (!is_kept || !sub.takes(stream_id) || id.sequence > highest_sequence) return nullptr;
    Stream& stream = stream_of(sub, stream_id, no_stream);
    if (stream.progress.contains(id.sequence)) return nullptr;
    know(sub, stream, id.sequence + 1);
    return &stream.again[id.sequence];
  };
  for (const auto& [event, record] : sub.attempts) {
    const auto id = EventId::parse(event);
    Again* again = id ? entry_of(*id) : nullptr;
    if (again != nullptr) again->so_far = {attempts_made(sub, record.attempts), record.error, record.first, record.last};
  }
  sub.attempts.clear();
  std::erase_if(in_flight, [&](const InFlightEntry& entry) {
    const bool is_gate = entry.path.role == InFlightPath::Role::Gate;
    if (entry.path.round != 0 || (!is_gate && entry.subscription != sub.spec.durable)) return false;
    const StreamId& stream = entry.stream;
    Again* again = entry_of(
        {stream.origin.node, stream.origin.incarnation, stream.lane, stream.type, stream.shard, entry.sequence});
    if (again == nullptr) return false;
    if (is_gate) {
      take_up_gates(entry, again->gates);
    } else {
      take_up_entry(entry, again->so_far);
    }
    if (entry.stage == InFlightEntry::Stage::InHands && again->suspect == Again::Suspect::No) {
      again->suspect = Again::Suspect::Yes;
      ++suspects;
    }
    return !is_gate;  // it stands before other subscriptions too
  });
}

/// An attempt is recorded before it is made. Of one that was made and not answered well there is an entry; without one
/// it was not made, or what came of it is to be done again.
std::uint32_t DurableSubscriptions::State::attempts_made(std::uint32_t recorded) const {
  return past == Past::Known && recorded > 0 ? recorded - 1 : recorded;
}

void DurableSubscriptions::State::take_up_entry(const InFlightEntry& entry, Earlier& so_far) const {
  so_far.attempts = entry.attempt;
  if (so_far.first == WallTime{}) so_far.first = now.wall;
  if (entry.stage == InFlightEntry::Stage::Rejected) so_far.rejected = Earlier::Rejected::Yes;
  if (entry.stage != InFlightEntry::Stage::InHands) return;
  so_far.last = now.wall;
  so_far.error = ended_in_hands_text;
}

}  // namespace legion
