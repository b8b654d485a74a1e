// What was in hands when the process before this one died comes again alone, so that the one that killed it is found
// and what only stood beside it is not blamed.
#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

namespace {

EventId event_of(const InFlightEntry& entry) {
  const StreamId& stream = entry.stream;
  return {stream.origin.node, stream.origin.incarnation, stream.lane, stream.type, stream.shard, entry.sequence};
}

}  // namespace

/// Everything else durable waits, and what stands before a suspect in its stream comes one by one as well.
bool DurableSubscriptions::State::must_wait_for_suspects(const Stream& stream) const {
  return probation == Probation::Yes && (!has_suspect(stream) || under_way() > 0);
}

bool DurableSubscriptions::State::has_suspect(const Stream& stream) {
  return std::ranges::any_of(stream.again,
                             [](const auto& entry) { return entry.second.suspect == Again::Suspect::Yes; });
}

void DurableSubscriptions::State::suspect_is_over() {
  LEGION_ASSERT(suspects > 0);
  --suspects;
  probation_since = now.steady;
}

std::uint64_t DurableSubscriptions::State::under_way() const {
  std::uint64_t events = 0;
  for (const Subscription& sub : subs) {
    for (const std::uint64_t lane : sub.under_way) events += lane;
  }
  for (const auto& [key, requeue] : requeues) {
    if (requeue.stage == Requeue::Stage::UnderWay) ++events;
  }
  return events;
}

void DurableSubscriptions::State::watch_suspects() {
  if (!probation_since) probation_since = now.steady;
  const bool some_to_come = std::ranges::any_of(in_flight, [&](const InFlightEntry& entry) {
    if (entry.stage != InFlightEntry::Stage::InHands) return false;
    return is_sought(entry) || !all_letters_loaded();
  });
  if (suspects == 0 && !some_to_come) return end_probation();
  if (now.steady - *probation_since > config.suspect_patience) {
    log(DurableLog::Level::Warning,
        "durable events that were in hands when this node died are not over after all this "
        "time; the others go on beside them");
    return end_probation();
  }
  if (under_way() == 0) pump_all();
}

/// Entries that neither a cursor nor a requeue has use for: of events that are over.
void DurableSubscriptions::State::give_up_entries() {
  if (in_flight.empty() || !all_letters_loaded()) return;
  std::erase_if(in_flight, [&](const InFlightEntry& entry) {
    if (is_sought(entry) || may_be_sought(entry)) return false;
    if (!is_taken_up_gate(entry)) effects.push_back(InFlightOver{entry.agent, event_of(entry).to_string(), entry.path});
    return true;
  });
}

/// Whether a subscription that has not begun yet may take it up.
bool DurableSubscriptions::State::is_sought(const InFlightEntry& entry) const {
  if (entry.path.round != 0) return false;
  const bool is_gate = entry.path.role == InFlightPath::Role::Gate;
  return std::ranges::any_of(subs, [&](const Subscription& sub) {
    if (!is_gate && sub.spec.durable != entry.subscription) return false;
    if (sub.phase == DurablePhase::Standby) return false;
    return sub.phase != DurablePhase::Active && sub.phase != DurablePhase::Removed;
  });
}

/// By a share that has no lease now, so that nothing waits for it.
bool DurableSubscriptions::State::may_be_sought(const InFlightEntry& entry) const {
  return entry.path.round == 0 && std::ranges::any_of(subs, [&](const Subscription& sub) {
           const bool is_for_it =
               entry.path.role == InFlightPath::Role::Gate || entry.subscription == sub.spec.durable;
           return sub.phase == DurablePhase::Standby && is_for_it && sub.takes(entry.stream);
         });
}

/// Whether an event that is not over counts its attempts: the next hand-over to the gate replaces it.
bool DurableSubscriptions::State::is_taken_up_gate(const InFlightEntry& entry) const {
  if (entry.path.role != InFlightPath::Role::Gate) return false;
  if (entry.path.round != 0) {
    const std::string event = event_of(entry).to_string();
    return std::ranges::any_of(requeues, [&](const auto& requeue) {
      return requeue.second.letter.event == event && !requeue.second.gates.empty();
    });
  }
  return std::ranges::any_of(subs, [&](const Subscription& sub) {
    const auto found = sub.streams.find(entry.stream);
    if (found == sub.streams.end()) return false;
    const auto& again = slots[found->second].stream->again;
    const auto event = again.find(entry.sequence);
    return event != again.end() && !event->second.gates.empty();
  });
}

/// Every gate of the agent that takes the event, for the entry does not say which.
void DurableSubscriptions::State::take_up_gates(const InFlightEntry& entry, GateAttempts& gates) const {
  for (const DurableHandler& gate : handlers) {
    const bool is_it = gate.tier == Priority::Critical && gate.agent == entry.agent &&
                       gate.durable == entry.subscription && gate.filter.matches(original_type(entry.stream.type));
    if (is_it) gates[gate.subscription.value] = std::max(gates[gate.subscription.value], entry.attempt);
  }
}

/// How an event ends that was rejected, or whose attempts were used up, in earlier lives of the node.
std::optional<LetterDeath> DurableSubscriptions::State::death_before(const DurableHandler& handler,
                                                                     const Earlier& so_far,
                                                                     const GateAttempts& gates) const {
  const auto is_used_up = [](const DurableHandler& given, std::uint32_t attempts) {
    return attempts >= std::max(given.max_attempts, 1u);
  };
  if (so_far.rejected == Earlier::Rejected::Yes) {
    return LetterDeath{.agent = handler.agent,
                       .reason = std::string(to_string(DeathReason::Rejected)),
                       .attempts = so_far.attempts,
                       .error = std::string(rejected_before_text),
                       .first = so_far.first,
                       .last = now.wall};
  }
  for (const auto& [gate, attempts] : gates) {
    if (!is_used_up(handlers[gate], attempts)) continue;
    return LetterDeath{.agent = handler.agent,
                       .reason = std::string(to_string(DeathReason::GateFailed)),
                       .attempts = so_far.attempts,
                       .error = "the gate " + handlers[gate].agent + " had used up its attempts when the node ended",
                       .first = now.wall,
                       .last = now.wall};
  }
  if (!is_used_up(handler, so_far.attempts)) return std::nullopt;
  return LetterDeath{.agent = handler.agent,
                     .reason = std::string(to_string(DeathReason::HandlerError)),
                     .attempts = so_far.attempts,
                     .error = so_far.error,
                     .first = so_far.first,
                     .last = so_far.last};
}

/// The event has a letter: what gates made of it on this way counts no more.
void DurableSubscriptions::State::forget_gates(const std::string& event, std::uint32_t round) {
  const auto id = EventId::parse(event);
  for (const DurableHandler& gate : handlers) {
    if (!id || gate.tier != Priority::Critical || !gate.filter.matches(original_type(id->type))) continue;
    effects.push_back(InFlightOver{gate.agent, event, {InFlightPath::Role::Gate, round}});
  }
}

void DurableSubscriptions::State::end_probation() {
  probation = Probation::No;
  pump_all();
}

void DurableSubscriptions::State::pump_all() {
  for (Subscription& sub : subs) {
    if (sub.phase != DurablePhase::Active) continue;
    std::vector<StreamKey> keys;
    for (const auto& [id, key] : sub.streams) {
      if (probation == Probation::No || !slots[key].stream->again.empty()) keys.push_back(key);
    }
    std::ranges::sort(keys);
    for (const StreamKey key : keys) {
      if (!slots[key].stream->waits_for_room || probation == Probation::Yes) pump(sub, *slots[key].stream);
    }
    use_room(sub);
  }
}

}  // namespace legion
