// What is handed over next.
#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

namespace {

constexpr std::uint32_t task_index_bits = 28;
constexpr TaskId task_index_mask = (TaskId{1} << task_index_bits) - 1;
/// Hand-overs between two in which an agent may serve its own overdue lane out of turn.
constexpr std::uint32_t agent_turn_spacing = 8;

}  // namespace

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
    const std::uint32_t agent = ring[lane].front();
    ring[lane].pop_front();
    agents[agent].in_ring &= static_cast<dispatch::LaneMask>(~bit);
    if ((agents[agent].runnable & bit) != 0) return agent;
  }
}

/// The lane over all agents, then the agent whose turn it is. An agent that serves several lanes has a starvation count
/// of its own, because its lower lanes are runnable only while it has a free slot, which may never be when the lane's
/// turn comes over all agents.
Dispatcher::State::Turn Dispatcher::State::choose(dispatch::LaneMask runnable) {
  const auto due = chooser.due(runnable);
  const std::size_t lane = chooser.choose(runnable);
  const std::uint32_t agent = take_agent(lane);
  if (due || since_agent_turn < agent_turn_spacing) return {agent, lane};
  return {agent, agents[agent].chooser.due(agents[agent].runnable).value_or(lane)};
}

std::optional<Task> Dispatcher::State::next() {
  requeue_due();
  for (auto runnable = runnable_lanes(); runnable != 0; runnable = runnable_lanes()) {
    const Turn turn = choose(runnable);
    Agent& agent = agents[turn.agent];
    const Index index = agent.front[turn.lane].empty() ? agent.fifo[turn.lane].head : agent.front[turn.lane].head;
    const auto& expires_at = items[index].event->expires_at;
    if (expires_at && *expires_at < now.wall) {
      end_item(index, End::Expired);
      advance_flows();
      continue;
    }
    const bool out_of_turn = turn.lane != chooser.choose(runnable);
    since_agent_turn = out_of_turn ? 0 : since_agent_turn + 1;
    chooser.served(turn.lane, runnable);
    agent.chooser.served(turn.lane, agent.runnable);
    return hand_over(index);
  }
  return std::nullopt;
}

Task Dispatcher::State::hand_over(Index index) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  Handler& handler = handler_of(item);
  const std::size_t lane = lane_index(item.lane);
  LEGION_ASSERT(index <= task_index_mask);

  unqueue(index);
  --agent.depth[lane];
  --lanes[lane].depth;
  ++lanes[lane].dispatched;
  ++handler.stats.total;
  ++handler.stats.in_flight;
  if (item.attempts == 0) {
    agent.untouched[lane].remove(items, index);
    const Duration age = std::max(now.wall - item.event->time, Duration::zero());
    handler.stats.publish_to_dispatch.record(age);
    lanes[lane].publish_to_dispatch.record(age);
  } else {
    ++handler.stats.retries;
  }
  ++item.attempts;
  item.stage = Stage::InFlight;
  item.handed_over = now.steady;
  item.task = (++task_serial << task_index_bits) | index;
  agent.in_flight.push_back(items, index);
  refresh(item.agent);
  return {.id = item.task,
          .agent = {item.agent},
          .subscription = {item.subscription},
          .event = item.event,
          .attempt = item.attempts,
          .lane = item.lane};
}

void Dispatcher::State::requeue_due() {
  while (const auto index = retries.take_due(now.steady)) {
    Item& item = items[*index];
    --agent_of(item).retry_waiting;
    item.stage = Stage::Queued;
    enqueue_runnable(*index);
    refresh(item.agent);
  }
}

Dispatcher::State::Index Dispatcher::State::find_task(TaskId task) const {
  const auto index = static_cast<Index>(task & task_index_mask);
  return task != 0 && items.is_live(index) && items[index].task == task ? index : no_index;
}

}  // namespace legion
