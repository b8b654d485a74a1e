// What was in hands when the process before this one died comes again alone, so that the one that killed it is found
// and what only stood beside it is not blamed.
#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

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
    const Subscription* sub = find(entry.subscription);
    const bool is_sought = sub != nullptr && sub->phase != DurablePhase::Active && sub->phase != DurablePhase::Removed;
    return is_sought || !all_letters_loaded();
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
    const Subscription* sub = find(entry.subscription);
    if (sub != nullptr && sub->phase != DurablePhase::Active) return false;
    const StreamId& stream = entry.stream;
    const EventId id{stream.origin.node, stream.origin.incarnation, stream.lane, stream.type, stream.shard,
                     entry.sequence};
    effects.push_back(InFlightOver{entry.agent, id.to_string()});
    return true;
  });
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
