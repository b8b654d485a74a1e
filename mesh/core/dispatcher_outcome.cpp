// Answers, failures and ends.
#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

namespace {

/// At most limits::error_text_bytes_max bytes, not cut inside a UTF-8 character.
std::string bounded_text(std::string_view text) {
  std::size_t size = std::min(text.size(), limits::error_text_bytes_max);
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0u) == 0x80u) --size;
  }
  return std::string(text.substr(0, size));
}

/// What the end of a gate, or of a handler that said stop, means for the later tiers.
dispatch::End decision(dispatch::End end) {
  using dispatch::End;
  switch (end) {
    case End::Stopped:
    case End::Rejected: return End::StoppedBefore;
    case End::Exhausted: return End::GateFailed;
    case End::Expired: return End::Expired;
    case End::Overflow: return End::GateOverflow;
    case End::Done:
    case End::StoppedBefore:
    case End::GateOverflow:
    case End::GateFailed:
    case End::Undecodable: break;
  }
  LEGION_UNREACHABLE();
}

}  // namespace

void Dispatcher::State::answer(TaskId task, Outcome outcome) {
  const Index index = find_task(task);
  if (index == no_index) {
    ++stale_outcomes;
    return;
  }
  Item& item = items[index];
  if (item.stage == Stage::InFlight) handler_of(item).stats.handler_time.record(now.steady - item.handed_over);
  switch (outcome.kind) {
    case OutcomeKind::Done: end_item(index, End::Done); break;
    case OutcomeKind::Stop: end_item(index, End::Stopped); break;
    case OutcomeKind::Reject: reject(index, outcome.error); break;
    case OutcomeKind::Retry: fail_attempt(index, outcome.error, After::Delay); break;
    case OutcomeKind::Deferred: defer(index); break;
  }
}

void Dispatcher::State::note_failure(Item& item, std::string_view error) {
  ++handler_of(item).stats.errors;
  if (!item.failure) item.failure = std::make_unique<dispatch::Failure>(now.wall);
  item.failure->last = now.wall;
  item.failure->error = bounded_text(error);
}

void Dispatcher::State::reject(Index index, std::string_view error) {
  note_failure(items[index], error);
  end_item(index, End::Rejected);
}

/// After::AgentIsUp leaves the item outside the lists of its agent; the caller puts it back.
Dispatcher::State::Fate Dispatcher::State::fail_attempt(Index index, std::string_view error, After after) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  note_failure(item, error);
  if (item.attempts >= std::max(agent.spec.retry.max_attempts, 1u)) {
    end_item(index, End::Exhausted);
    return Fate::Dead;
  }
  leave_hands(index);
  item.task = 0;
  if (after == After::Delay) {
    item.stage = Stage::RetryWaiting;
    ++agent.retry_waiting;
    retries.add(now.steady, agent.spec.retry, item.attempts, index);
    on_hold_started(item);
  } else {
    item.stage = Stage::Queued;
    item.place = Place::Parked;
  }
  first_outcome(item);
  refresh(item.agent);
  return Fate::TriedAgain;
}

void Dispatcher::State::defer(Index index) {
  Item& item = items[index];
  if (item.stage == Stage::Deferred) return;
  leave_hands(index);
  item.stage = Stage::Deferred;
  agent_of(item).deferred.push_back(items, index);
  ++handler_of(item).stats.deferrals;
  on_hold_started(item);
  first_outcome(item);
  refresh(item.agent);
}

/// From in flight or deferred into the mailbox: it is held there from now on.
void Dispatcher::State::leave_hands(Index index) {
  Item& item = items[index];
  unqueue(index);
  if (item.stage != Stage::InFlight) return;
  --handler_of(item).stats.in_flight;
  ++agent_of(item).depth[lane_index(item.lane)];
  ++lanes[lane_index(item.lane)].depth;
}

void Dispatcher::State::agent_down(AgentId id, std::string_view error) {
  Agent& agent = this->agent(id);
  agent.state = AgentState::Down;
  refresh(id.value);

  std::vector<Index> unanswered;
  for (Index at = agent.in_flight.head; at != no_index; at = agent.in_flight.next(items, at)) unanswered.push_back(at);
  for (Index at = agent.deferred.head; at != no_index; at = agent.deferred.next(items, at)) unanswered.push_back(at);
  std::ranges::sort(unanswered, {}, [this](Index index) { return items[index].arrival; });
  std::erase_if(unanswered, [&](Index index) { return fail_attempt(index, error, After::AgentIsUp) == Fate::Dead; });
  for (auto index = unanswered.rbegin(); index != unanswered.rend(); ++index) enqueue_first(*index);

  // Nobody's later tiers wait for an agent that is down. Gates hold, whatever happens.
  for (const auto& untouched : agent.untouched) {
    for (Index at = untouched.head; at != no_index; at = untouched.next(items, at)) first_outcome(items[at]);
  }
}

void Dispatcher::State::time_out() {
  for (Agent& agent : agents) {
    if (!agent.spec.handler_timeout) continue;
    while (!agent.in_flight.empty()) {
      const Index index = agent.in_flight.head;
      if (items[index].handed_over + *agent.spec.handler_timeout > now.steady) break;
      ++handler_of(items[index]).stats.timeouts;
      fail_attempt(index, "handler timed out", After::Delay);
    }
  }
}

/// The one way out for a delivery: counted, its event's later tiers told, its place given to the next.
void Dispatcher::State::end_item(Index index, End end, const std::string& gate_error) {
  Item& item = items[index];
  const std::uint32_t agent = item.agent;
  if (item.booked == Booked::Yes) --handler_of(item).stats.books.pending;
  count_end(handler_of(item), item.booked, end);
  write_letter(item, end, gate_error);
  if (item.flow != no_index) {
    if (item.stage != Stage::Waiting) tell_flow(item, end);
    unreference(item.flow);
  }
  leave_agent(index);
  leave_domain(index);
  items.give_back(index);
  refresh(agent);
}

void Dispatcher::State::leave_agent(Index index) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  const std::size_t lane = lane_index(item.lane);
  LEGION_ASSERT(item.stage != Stage::RetryWaiting);
  unqueue(index);
  if (item.stage == Stage::Queued && item.attempts == 0) agent.untouched[lane].remove(items, index);
  if (item.stage == Stage::InFlight) --handler_of(item).stats.in_flight;
  if (item.stage == Stage::Queued || item.stage == Stage::Deferred) {
    --agent.depth[lane];
    --lanes[lane].depth;
  }
}

void Dispatcher::State::tell_flow(Item& item, End end) {
  Flow& flow = flows[item.flow];
  if (item.is_gate() && end == End::Done) {
    if (--flow.pending == 0) queue_advance(item.flow);
    return;
  }
  if (!item.is_gate()) {
    first_outcome(item);
    if (end != End::Stopped && end != End::Expired) return;
  }
  std::string error;
  if (end == End::Exhausted) error = bounded_text("gate " + agent_of(item).spec.name + ": " + item.failure->error);
  decide_later_tiers(flow, decision(end), error);
}

void Dispatcher::State::count_end(Handler& handler, Booked booked, End end) {
  if (booked == Booked::No) return;
  Books& books = handler.stats.books;
  switch (end) {
    case End::Done:
    case End::Stopped: ++books.delivered; return;
    case End::Rejected:
    case End::Exhausted:
    case End::GateFailed:
    case End::Undecodable: ++books.dead; return;
    case End::Expired: ++books.expired; return;
    case End::Overflow: ++books.lost_for(LossReason::Overflow); return;
    case End::GateOverflow: ++books.lost_for(LossReason::GateOverflow); return;
    case End::StoppedBefore: ++books.filtered.stopped; return;
  }
}

void Dispatcher::State::write_letter(const Item& item, End end, const std::string& gate_error) {
  Death death{.agent = agents[item.agent].spec.name,
              .reason = DeathReason::HandlerError,
              .attempts = item.attempts,
              .error = {},
              .first = now.wall,
              .last = now.wall};
  switch (end) {
    case End::Rejected: death.reason = DeathReason::Rejected; break;
    case End::Exhausted: death.reason = DeathReason::HandlerError; break;
    case End::GateFailed: death.reason = DeathReason::GateFailed; break;
    case End::Undecodable: death.reason = DeathReason::Undecodable; break;
    case End::Done:
    case End::Stopped:
    case End::Expired:
    case End::Overflow:
    case End::StoppedBefore:
    case End::GateOverflow: return;
  }
  if (item.failure) {
    death.first = item.failure->first;
    death.last = item.failure->last;
    death.error = item.failure->error;
  } else {
    death.error = end == End::Undecodable ? bounded_text(item.event->defect) : gate_error;
  }
  letters.push_back({.event = item.event,
                     .agent = {item.agent},
                     .subscription = {item.subscription},
                     .booked = item.booked,
                     .death = std::move(death)});
}

void Dispatcher::State::close() {
  intake = Intake::Draining;
  for (Index index = 0; index < items.end(); ++index) {
    if (!items.is_live(index)) continue;
    Books& books = handler_of(items[index]).stats.books;
    if (items[index].booked == Booked::Yes) {
      --books.pending;
      ++books.lost_for(LossReason::Shutdown);
    }
    handler_of(items[index]).stats.in_flight = 0;
  }
  items = {};
  flows = {};
  domains = {};
  retries.clear();
  advance_queue.clear();
  waiting_items = 0;
  for (auto& lane : lanes) lane.depth = 0;
  for (auto& turns : ring) turns.clear();
  runnable_agents = {};
  for (Agent& agent : agents) {
    Agent fresh;
    fresh.spec = std::move(agent.spec);
    fresh.state = agent.state;
    agent = std::move(fresh);
  }
}

}  // namespace legion
