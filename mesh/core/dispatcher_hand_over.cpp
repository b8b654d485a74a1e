// What is handed over next.
#include <algorithm>
#include <bit>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

namespace {

constexpr TaskId task_index_mask = (TaskId{1} << task_index_bits) - 1;
constexpr std::uint64_t task_serial_max = (std::uint64_t{1} << (64 - task_index_bits)) - 1;
/// Events between two turns in which an agent may serve its own overdue lane out of turn.
constexpr std::uint32_t agent_turn_spacing = 8;

}  // namespace

std::optional<OutcomeKind> fate_before_handling(const EventView& event, Now now, const std::optional<Where>& where) {
  if (!event.defect.empty()) return OutcomeKind::Undecodable;
  if (where && !where->matches(event)) return OutcomeKind::FilteredWhere;
  if (event.expires_at && *event.expires_at < now.wall) return OutcomeKind::Expired;
  return std::nullopt;
}

dispatch::LaneMask Dispatcher::State::runnable_lanes() const {
  unsigned mask = 0;
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    if (runnable_agents[lane] > 0) mask |= 1u << lane;
  }
  return static_cast<dispatch::LaneMask>(mask);
}

std::uint32_t Dispatcher::State::take_agent(std::size_t lane) {
  const auto bit = static_cast<dispatch::LaneMask>(1u << lane);
  while (true) {
    LEGION_ASSERT(!ring[lane].empty());
    const std::uint32_t agent = ring[lane].pop_front();
    agents[agent].in_ring &= static_cast<dispatch::LaneMask>(~bit);
    if ((agents[agent].runnable & bit) != 0) return agent;
  }
}

/// The lane over all agents, then the agent whose turn it is. An agent that serves several lanes has a starvation count
/// of its own, because its lower lanes are runnable only while it has a free slot, which may never be when the lane's
/// turn comes over all agents.
Dispatcher::State::Turn Dispatcher::State::choose(dispatch::LaneMask runnable) {
  using enum Turn::Why;
  const auto due = chooser.due(runnable);
  const std::size_t lane = due ? *due : static_cast<std::size_t>(std::countr_zero(runnable));
  const std::uint32_t agent = take_agent(lane);
  if (due) return {agent, lane, LaneIsDue};
  if (since_agent_turn < agent_turn_spacing) return {agent, lane, Highest};
  const auto own = agents[agent].chooser.due(agents[agent].runnable);
  if (!own || *own == lane) return {agent, lane, Highest};
  return {agent, *own, AgentIsDue};
}

/// A lane that is due gets one event, so that it cannot hold up the lane whose turn it took; see LaneChooser.
std::uint32_t Dispatcher::State::run_limit(const Turn& turn, dispatch::LaneMask runnable) const {
  if (turn.why != Turn::Why::Highest) return 1;
  const std::uint32_t most = agents[turn.agent].run_events;
  const bool others_wait = (runnable & ~(1u << turn.lane)) != 0;
  if (!others_wait) return most;
  // An overdue lane of the agent's own waits for its turn and not for the end of a run.
  const auto own = since_agent_turn < agent_turn_spacing ? agents[turn.agent].chooser.due(agents[turn.agent].runnable)
                                                         : std::nullopt;
  const bool waits_for_turn = own && *own != turn.lane;
  return std::min(most, waits_for_turn ? agent_turn_spacing - since_agent_turn : dispatch::run_while_others_wait);
}

/// How the first event of the item ends without being handed over. Of agents that get runs, whoever handles them looks.
std::optional<dispatch::End> Dispatcher::State::end_before_handling(const Item& item) const {
  if (agent_of(item).gets_runs()) return std::nullopt;
  const auto fate = fate_before_handling(item.frame->events()[item.first], now);
  if (!fate) return std::nullopt;
  return *fate == OutcomeKind::Expired ? End::Expired : End::Undecodable;
}

std::optional<Task> Dispatcher::State::next() {
  requeue_due();
  for (auto runnable = runnable_lanes(); runnable != 0; runnable = runnable_lanes()) {
    const Turn turn = choose(runnable);
    Agent& agent = agents[turn.agent];
    const Index index = agent.front[turn.lane].empty() ? agent.fifo[turn.lane].head : agent.front[turn.lane].head;
    if (const auto end = end_before_handling(items[index])) {
      end_front(index, 1, *end);
      advance_flows();
      continue;
    }
    const std::uint32_t count = std::min(items[index].count, run_limit(turn, runnable));
    since_agent_turn = turn.why == Turn::Why::AgentIsDue ? 0 : std::min(since_agent_turn + count, agent_turn_spacing);
    chooser.served(turn.lane, runnable, count);
    agent.chooser.served(turn.lane, agent.runnable, count);
    if (count < items[index].count) return hand_over(split_front(index, count));
    unqueue(index);
    return hand_over(index);
  }
  return std::nullopt;
}

/// The whole item; it is in none of its agent's queues any more.
Task Dispatcher::State::hand_over(Index index) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  Handler& handler = handler_of(item);
  const std::size_t lane = lane_index(item.lane);

  take_depth(item, item.count);
  handler.stats.in_flight += item.count;
  ++item.attempts;
  item.stage = Stage::InFlight;
  item.handed_over = now.steady;
  item.task = draw_tasks(index, item.count);
  agent.in_flight.push_back(items, index);
  if (!agent.gets_runs()) {
    unlist(index);
    count_handed_over(item, 1);
    if (item.attempts == 1) {
      const Duration age = std::max(now.wall - item.frame->events()[item.first].time, Duration::zero());
      handler.stats.publish_to_dispatch.record(age);
      lanes[lane].publish_to_dispatch.record(age);
    }
  }
  refresh(item.agent);
  std::optional<InFlightPath> path;
  if (item.keep == dispatch::Keep::Yes) {
    path = {item.is_durable() ? InFlightPath::Role::Target : InFlightPath::Role::Gate, item.round};
  }
  return {.id = item.task,
          .agent = {item.agent},
          .subscription = {item.subscription},
          .frame = item.frame,
          .first = item.first,
          .count = item.count,
          .attempt = item.attempts,
          .lane = item.lane,
          .durable = item.durable,
          .path = path,
          .where = agent.gets_runs() ? handler.spec.where : std::nullopt};
}

void Dispatcher::State::count_handed_over(const Item& item, std::uint64_t events) {
  HandlerStats& stats = handler_of(item).stats;
  stats.total += events;
  if (item.attempts > 1) stats.retries += events;
  lanes[lane_index(item.lane)].dispatched += events;
}

TaskId Dispatcher::State::draw_tasks(Index index, std::uint32_t count) {
  LEGION_ASSERT(index <= task_index_mask);
  if (count > task_serial_max - task_serial) task_serial = 0;
  const TaskId first = ((task_serial + 1) << task_index_bits) | index;
  task_serial += count;
  return first;
}

void Dispatcher::State::requeue_due() {
  if (retries.size() == 0) return;
  while (const auto index = retries.take_due(now.steady)) {
    Item& item = items[*index];
    if (item.permit == dispatch::Permit::Wanted) {
      item.is_due = true;
      ++unpermitted;
    } else {
      requeue(*index);
    }
  }
}

void Dispatcher::State::requeue(Index index) {
  Item& item = items[index];
  --agent_of(item).retry_waiting;
  item.stage = Stage::Queued;
  item.task = 0;
  enqueue_runnable(index);
  refresh(item.agent);
  if (agent_of(item).life == Agent::Life::Removed) end_item(index, End::Removed);
}

void Dispatcher::State::permit_retry(TaskId permit) {
  const Index index = find_task(permit);
  if (index == no_index || items[index].permit != dispatch::Permit::Wanted) return;
  Item& item = items[index];
  item.permit = dispatch::Permit::Given;
  if (!item.is_due) return;
  item.is_due = false;
  --unpermitted;
  requeue(index);
}

/// The item in flight or deferred that has this task among its own.
Dispatcher::State::Index Dispatcher::State::find_task(TaskId task) const {
  const auto index = static_cast<Index>(task & task_index_mask);
  if (task == 0 || !items.is_live(index)) return no_index;
  const Item& item = items[index];
  if (item.task == 0 || task < item.task) return no_index;
  return (task - item.task) >> task_index_bits < item.count ? index : no_index;
}

/// Whatever is queued counts, also what turns out to be blocked when it is looked at.
std::optional<Priority> Dispatcher::State::most_urgent(AgentId id) const {
  unsigned waiting = runnable_lanes();
  const Agent& agent = agents[id.value];
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    if (!agent.front[lane].empty() || !agent.fifo[lane].empty()) waiting |= 1u << lane;
  }
  if (waiting == 0) return std::nullopt;
  return static_cast<Priority>(std::countr_zero(waiting));
}

bool Dispatcher::State::waits_above(AgentId id, Priority lane) const {
  const Agent& agent = agents[id.value];
  for (std::size_t above = 0; above < lane_index(lane); ++above) {
    if (!agent.front[above].empty() || !agent.fifo[above].empty()) return true;
  }
  return false;
}

}  // namespace legion
