#include <legion/runtime/hosted_agent.hpp>

#include <legion/base/text.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {

HostedAgent::HostedAgent(Surroundings surroundings, std::string name, std::string kind, std::unique_ptr<Agent> agent)
    : around_(surroundings), name_(std::move(name)), kind_(std::move(kind)), agent_(std::move(agent)) {}

std::string HostedAgent::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

AgentSnapshot HostedAgent::snapshot() const {
  const std::lock_guard lock(mutex_);
  return {name_, kind_, state_, counters_};
}

void HostedAgent::start() { agent_->start(*this); }

void HostedAgent::stop(Duration grace) {
  if (stopped_.exchange(true)) return;
  stopping_.store(true, std::memory_order_release);
  agent_->stop(grace);
}

PublishResult HostedAgent::publish(const Event& event, PublishOptions options) {
  return around_.intake.publish(event, name_, PublishedBy::Agent, options.priority_from, askers_of(options),
                                event.time.ns == 0 ? read_wall_clock() : event.time);
}

std::future<Confirm> AgentServices::publish_confirmed(const Event& event, PublishResult& result) {
  auto promise = std::make_shared<std::promise<Confirm>>();  // std::function has to be copied
  std::future<Confirm> future = promise->get_future();
  PublishOptions options;
  options.on_confirmed = [promise](Confirm confirm) { promise->set_value(std::move(confirm)); };
  result = publish(event, std::move(options));
  return future;
}

void HostedAgent::complete(TaskId task, Outcome outcome) { around_.pool.complete(task, std::move(outcome)); }

void HostedAgent::agent_up() {
  around_.pool.agent_up(id_);
  announce("agent.ready", {});
}

void HostedAgent::agent_down(std::string error) {
  around_.pool.agent_down(id_, error);
  if (stopping_.load(std::memory_order_acquire)) return;
  announce("agent.error", error);
}

// The node speaks for the agent: these events come even when the agent cannot.
void HostedAgent::announce(std::string_view type, std::string_view error) {
  MsgpackWriter data;
  data.map(error.empty() ? 1 : 2);
  data.str("agent");
  data.str(name_);
  if (!error.empty()) {
    data.str("error");
    data.str(error);
  }
  Event event;
  event.type = std::string(type);
  event.data = data.take();
  around_.intake.publish(event, name_, PublishedBy::Node, PublishOptions::PriorityFrom::Policy, {},
                         read_clocks().wall);
}

void HostedAgent::log(LogLevel level, std::string_view text) { around_.log(level, name_ + ": " + std::string(text)); }

void HostedAgent::set_state(std::string state) {
  const std::lock_guard lock(mutex_);
  state_ = std::string(cut_text(printable(state, limits::agent_state_bytes_max), limits::agent_state_bytes_max));
}

void HostedAgent::count(std::string_view name, std::uint64_t by) {
  const std::lock_guard lock(mutex_);
  const auto found = counters_.find(name);
  if (found == counters_.end()) {
    counters_.emplace(std::string(name), by);
  } else {
    found->second += by;
  }
}

Now HostedAgent::now() const { return read_clocks(); }

}  // namespace legion
