// Answers and failures.
#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/base/planted.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

void Dispatcher::State::answer(TaskId task, Outcome outcome) {
  const Index index = find_task(task);
  if (index == no_index || items[index].stage == Stage::RetryWaiting) {
    ++stale_outcomes;
    return;
  }
  Item& item = items[index];
  if (item.stage == Stage::InFlight && agent_of(item).gets_runs()) {
    if (outcome.kind == OutcomeKind::Deferred) return;
    if (std::ranges::find(early, task, &Early::task) != early.end()) {
      ++stale_outcomes;
    } else {
      early.push_back({task, std::move(outcome)});
    }
    return;
  }
  if (item.stage == Stage::InFlight && is_handled(outcome.kind)) {
    handler_of(item).stats.handler_time.record(now.steady - item.handed_over);
  }
  decide(index, outcome);
}

void Dispatcher::State::decide(Index index, const Outcome& outcome) {
  switch (outcome.kind) {
    case OutcomeKind::Done: end_item(index, End::Done); break;
    case OutcomeKind::Stop: end_item(index, End::Stopped); break;
    case OutcomeKind::Reject: reject(index, outcome.error); break;
    case OutcomeKind::Retry: fail_attempt(index, outcome.error, After::Delay); break;
    case OutcomeKind::Deferred: defer(index); break;
    case OutcomeKind::Expired: end_unhandled(index, End::Expired); break;
    case OutcomeKind::Undecodable: end_unhandled(index, End::Undecodable); break;
    case OutcomeKind::Unfit: end_unhandled(index, End::Unfit, dispatch::bounded_text(outcome.error)); break;
    case OutcomeKind::UnknownVersion:
      end_unhandled(index, End::UnknownVersion, dispatch::bounded_text(outcome.error));
      break;
    case OutcomeKind::FilteredWhere:
    case OutcomeKind::FilteredDuplicate:
    case OutcomeKind::FilteredLimited: end_unhandled(index, dispatch::end_of_filtered(outcome.kind)); break;
  }
}

/// What is handed over event by event was counted then; of runs the report counts.
void Dispatcher::State::end_unhandled(Index index, End end, const std::string& why) {
  const Item& item = items[index];
  const bool was_counted = item.stage == Stage::InFlight && !agent_of(item).gets_runs();
  const bool was_retry = item.attempts > 1;
  const std::size_t lane = lane_index(item.lane);
  HandlerStats& stats = handler_of(item).stats;
  end_item(index, end, why);
  if (!was_counted) return;
  --stats.total;
  --stats.ended;
  --lanes[lane].dispatched;
  if (was_retry) --stats.retries;
}

void Dispatcher::State::note_failure(Item& item, std::string_view error) {
  ++handler_of(item).stats.errors;
  if (!item.failure) item.failure = std::make_unique<dispatch::Failure>(now.wall);
  item.failure->last = now.wall;
  item.failure->error = dispatch::bounded_text(error);
}

void Dispatcher::State::reject(Index index, std::string_view error) {
  note_failure(items[index], error);
  end_item(index, End::Rejected);
}

bool Dispatcher::State::is_last_attempt(const Item& item) const {
  return item.attempts >= std::max(agent_of(item).spec.retry.max_attempts, 1u);
}

/// After::AgentIsUp leaves the item outside the lists of its agent; the caller puts it back. A durable delivery waits
/// for its permit in either case.
Dispatcher::State::Fate Dispatcher::State::fail_attempt(Index index, std::string_view error, After after) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  LEGION_ASSERT(item.count == 1);
  note_failure(item, error);
  if (is_last_attempt(item)) {
    end_item(index, End::Exhausted);
    return Fate::Dead;
  }
  leave_hands(index);
  item.task = 0;
  if (after == After::Delay || item.is_durable()) {
    item.stage = Stage::RetryWaiting;
    ++agent.retry_waiting;
    if (item.is_durable()) report_failure(index);
    if (after == After::Delay) {
      retries.add(now.steady, agent.spec.retry, item.attempts, index);
    } else {
      item.is_due = true;
      ++unpermitted;
    }
    on_hold_started(item);
  } else {
    item.stage = Stage::Queued;
    item.place = Place::Parked;
  }
  first_outcome(item);
  refresh(item.agent);
  came_back(index);
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
  unlist(index);
  count_left_hands(item, 1);
  add_depth(item, 1);
  park_successor(item);
}

/// What is handed over in runs counts as ended where it is reported.
void Dispatcher::State::count_left_hands(const Item& item, std::uint32_t events) {
  HandlerStats& stats = handler_of(item).stats;
  stats.in_flight -= events;
  if (!agent_of(item).gets_runs()) stats.ended += events;
}

/// In order of arrival.
std::vector<Dispatcher::State::Index> Dispatcher::State::unanswered(const Agent& agent) const {
  std::vector<Index> found;
  for (Index at = agent.in_flight.head; at != no_index; at = agent.in_flight.next(items, at)) found.push_back(at);
  for (Index at = agent.deferred.head; at != no_index; at = agent.deferred.next(items, at)) found.push_back(at);
  std::ranges::sort(found, {}, [this](Index index) { return std::pair(items[index].arrival, items[index].first); });
  return found;
}

void Dispatcher::State::agent_down(AgentId id, std::string_view error) {
  Agent& agent = this->agent(id);
  agent.state = AgentState::Down;
  refresh(id.value);

  std::vector<Index> first_again;
  for (const Index index : unanswered(agent)) {
    Item& item = items[index];
    const Index rest = item.count > 1 ? split_rest(index) : no_index;
    if (item.stage == Stage::InFlight && agent.gets_runs()) {
      count_handed_over(item, 1);
      ++handler_of(item).stats.ended;
    }
    const bool is_durable = item.is_durable();
    if (LEGION_PLANTED(CrashedGateCountsAsDone) && item.is_gate()) {
      end_item(index, End::Done);
      continue;
    }
    if (fail_attempt(index, error, After::AgentIsUp) == Fate::TriedAgain) {
      if (!is_durable) first_again.push_back(index);
    } else if (rest != no_index) {
      unqueue(rest);
      first_again.push_back(rest);
    }
  }
  for (auto index = first_again.rbegin(); index != first_again.rend(); ++index) enqueue_first(*index);
  forget_early();

  // Nobody's later tiers wait for an agent that is down. Gates hold, whatever happens.
  for (const auto* untouched : {&agent.untouched, &agent.untouched_kept}) {
    for (const auto& lane : *untouched) {
      for (Index at = lane.head; at != no_index; at = lane.next(items, at)) first_outcome(items[at]);
    }
  }
}

void Dispatcher::State::time_out() {
  for (const std::uint32_t number : timed_agents) {
    Agent& agent = agents[number];
    while (!agent.in_flight.empty()) {
      const Index index = agent.in_flight.head;
      if (items[index].handed_over + *agent.spec.handler_timeout > now.steady) break;
      ++handler_of(items[index]).stats.timeouts;
      fail_attempt(index, "handler timed out", After::Delay);
    }
  }
}

}  // namespace legion
