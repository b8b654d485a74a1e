#include <legion/daemon/options.hpp>

namespace legion {

NodeOptions node_options(const NodeConfig& config, std::string version) {
  NodeOptions options;
  options.name = config.node.name;
  options.version = std::move(version);
  options.listen = config.node.listen;
  options.advertise = config.node.advertise;
  options.roles = config.node.roles;
  options.state_dir = config.node.state_dir;
  options.drain_timeout = config.node.drain_timeout;
  options.local = config.node.local;
  options.log_events = config.log.events;
  options.policy = PolicyTable(policy_rules(config));
  options.workers = config.dispatch.workers;
  for (const Priority lane : all_priorities) {
    options.queue_capacity[lane_index(lane)] = config.publish.queue[lane_index(lane)];
  }
  auto& membership = options.membership;
  for (const Address& address : config.node.join) membership.join.push_back(address.uri());
  membership.heartbeat_interval = config.heartbeat.interval;
  membership.suspect_after = config.heartbeat.suspect_after;
  membership.dead_after = config.heartbeat.dead_after;
  membership.redial_max = config.node.redial_max;
  membership.connect_timeout = config.node.connect_timeout;
  membership.forget_after = config.node.forget_after;
  return options;
}

AgentSpec agent_spec(const AgentConfig& agent) {
  AgentSpec spec;
  spec.name = agent.name;
  for (const Priority lane : all_priorities) {
    const auto index = lane_index(lane);
    spec.lanes[index].capacity = agent.mailbox.capacity[index];
    spec.lanes[index].overflow = agent.mailbox.overflow[index] == MailboxConfig::Overflow::DropOldest
                                     ? Overflow::DropOldest
                                     : Overflow::DropNewest;
  }
  spec.concurrency = agent.concurrency;
  spec.retry.max_attempts = agent.retry.max_attempts;
  spec.retry.delay = agent.retry.delay;
  spec.retry.backoff = agent.retry.backoff;
  // The others answer before they return.
  const auto* exec = std::get_if<ExecConfig>(&agent.host);
  if (exec != nullptr && exec->handler_timeout > Duration{0}) spec.handler_timeout = exec->handler_timeout;
  spec.state = AgentState::Down;
  return spec;
}

std::vector<SubscriptionSpec> subscription_specs(const AgentConfig& agent) {
  std::vector<SubscriptionSpec> specs;
  for (const SubscribeConfig& subscribe : agent.subscribe) specs.push_back({subscribe.type, subscribe.tier});
  return specs;
}

std::string confirm_meaning(const NodeConfig& config) {
  const bool written_out = std::any_of(config.topics.begin(), config.topics.end(), [](const TopicRule& rule) {
    return rule.spools == std::uint8_t{0} && rule.prefix.text() == "*";
  });
  return std::string("a confirm means nothing durable: spools = 0 ") + (written_out ? "(as configured)" : "(the default)") +
         ", confirmed types are delivered live and counted, not stored";
}

}  // namespace legion
