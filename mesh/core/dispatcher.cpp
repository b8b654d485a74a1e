#include <legion/core/dispatcher.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

Dispatcher::Dispatcher(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
Dispatcher::~Dispatcher() = default;
Dispatcher::Dispatcher(Dispatcher&&) noexcept = default;
Dispatcher& Dispatcher::operator=(Dispatcher&&) noexcept = default;

AgentId Dispatcher::add_agent(AgentSpec spec) {
  const AgentId id{static_cast<std::uint32_t>(state_->agents.size())};
  const AgentState initial = spec.state;
  spec.concurrency = std::max(spec.concurrency, 1u);
  const bool gets_runs = spec.concurrency == 1 && !spec.handler_timeout;
  if (spec.handler_timeout) state_->timed_agents.push_back(id.value);
  auto& agent = state_->agents.emplace_back();
  agent.run_events = gets_runs ? std::max(spec.run_events_max, 1u) : 1;
  agent.spec = std::move(spec);
  agent.state = initial;
  return id;
}

SubscriptionId Dispatcher::add_subscription(AgentId agent, SubscriptionSpec spec) {
  ++state_->agent(agent).subscriptions;
  const SubscriptionId id{static_cast<std::uint32_t>(state_->handlers.size())};
  auto& handler = state_->handlers.emplace_back();
  handler.agent = agent;
  handler.spec = std::move(spec);
  handler.stats.agent = agent;
  handler.stats.subscription = id;
  return id;
}

void Dispatcher::on_run(Now now, const FramePtr& frame, std::uint32_t first, std::uint32_t count, StreamKey stream,
                        std::span<const Route> routes) {
  LEGION_ASSERT(frame != nullptr && count > 0 && first + std::uint64_t{count} <= frame->header().event_count);
  state_->now = now;
  state_->offer(frame, {*frame, first, count}, stream, routes);
  state_->advance_flows();
}

void Dispatcher::on_again(Now now, const FramePtr& frame, std::uint32_t event, std::span<const Route> routes,
                          const Earlier& earlier) {
  LEGION_ASSERT(frame != nullptr && event < frame->header().event_count);
  state_->now = now;
  state_->offer_again(frame, event, routes, earlier);
  state_->advance_flows();
}

DurableReports Dispatcher::drain_durable() {
  state_->unbook_recalled();
  return std::exchange(state_->reports, {});
}

bool Dispatcher::has_durable_reports() const { return !state_->reports.empty(); }

void Dispatcher::permit_retry(Now now, TaskId permit) {
  state_->now = now;
  state_->permit_retry(permit);
}

void Dispatcher::recall(Now now, SubscriptionId subscription, std::span<const StreamKey> streams) {
  state_->now = now;
  state_->recall(subscription, streams);
  state_->advance_flows();
}

bool Dispatcher::needs_events(std::span<const Route> routes) const { return state_->needs_events(routes); }

std::optional<Task> Dispatcher::next(Now now) {
  state_->now = now;
  return state_->next();
}

void Dispatcher::on_answers(Now now, TaskId task, std::span<const Answered> answered, Outcome last) {
  state_->now = now;
  state_->report(task, answered, last);
  state_->end_recalled();
  state_->advance_flows();
}

void Dispatcher::on_outcome(Now now, TaskId task, Outcome outcome) {
  state_->now = now;
  state_->answer(task, std::move(outcome));
  state_->end_recalled();
  state_->advance_flows();
}

void Dispatcher::on_agent_down(Now now, AgentId agent, std::string_view error) {
  state_->now = now;
  state_->agent_down(agent, error);
  state_->end_recalled();
  state_->advance_flows();
}

void Dispatcher::on_agent_removed(Now now, AgentId agent, std::string_view error) {
  state_->now = now;
  state_->remove_agent(agent, error);
  state_->advance_flows();
}

void Dispatcher::on_agent_up(Now now, AgentId agent) {
  state_->now = now;
  state_->agent(agent).state = AgentState::Up;
  state_->agent(agent).life = dispatch::Agent::Life::Here;
  state_->refresh(agent.value);
}

void Dispatcher::on_tick(Now now) {
  state_->now = now;
  state_->requeue_due();
  state_->time_out();
  state_->end_recalled();
  state_->advance_flows();
}

bool Dispatcher::has_runnable() const { return state_->runnable_lanes() != 0; }

std::optional<Priority> Dispatcher::most_urgent(AgentId agent) const { return state_->most_urgent(agent); }
bool Dispatcher::waits_above(AgentId agent, Priority lane) const { return state_->waits_above(agent, lane); }

std::optional<SteadyTime> Dispatcher::next_deadline() const {
  std::optional<SteadyTime> earliest = state_->retries.next_due();
  for (const std::uint32_t timed : state_->timed_agents) {
    const auto& agent = state_->agents[timed];
    if (agent.in_flight.empty()) continue;
    const SteadyTime deadline = state_->items[agent.in_flight.head].handed_over + *agent.spec.handler_timeout;
    if (!earliest || deadline < *earliest) earliest = deadline;
  }
  return earliest;
}

std::vector<DeadLetter> Dispatcher::drain_letters() { return std::exchange(state_->letters, {}); }

void Dispatcher::begin_drain() { state_->intake = State::Intake::Draining; }

bool Dispatcher::drained() const { return state_->items.live_count() == 0; }

void Dispatcher::close(Now now) {
  state_->now = now;
  state_->close();
}

std::size_t Dispatcher::agent_count() const { return state_->agents.size(); }

std::size_t Dispatcher::subscription_count() const { return state_->handlers.size(); }

const std::string& Dispatcher::agent_name(AgentId agent) const { return state_->agent(agent).spec.name; }

AgentState Dispatcher::agent_state(AgentId agent) const { return state_->agent(agent).state; }

std::size_t Dispatcher::capacity(AgentId agent, Priority lane) const {
  return state_->agents[agent.value].spec.lanes[lane_index(lane)].capacity;
}

std::size_t Dispatcher::room(AgentId id, Priority lane) const {
  const dispatch::Agent& agent = state_->agents[id.value];
  const std::size_t capacity = agent.spec.lanes[lane_index(lane)].capacity;
  const std::size_t depth = agent.depth[lane_index(lane)] - agent.kept[lane_index(lane)];
  return capacity - std::min(capacity, depth);
}

std::size_t Dispatcher::held(AgentId id, Priority lane) const {
  const dispatch::Agent& agent = state_->agents[id.value];
  return agent.depth[lane_index(lane)] + agent.in_flight.size;
}

AgentId Dispatcher::agent_of(SubscriptionId subscription) const {
  return state_->handler(subscription).agent;
}

const SubscriptionSpec& Dispatcher::subscription(SubscriptionId subscription) const {
  return state_->handler(subscription).spec;
}

std::optional<std::string> Dispatcher::check_conservation() const { return state_->check(); }

}  // namespace legion
