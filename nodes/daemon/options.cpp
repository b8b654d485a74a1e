#include <legion/daemon/options.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/base/units.hpp>

namespace legion {

namespace {

constexpr std::size_t exceptions_shown_max = 4;

SpoolOptions spool_options(const SpoolConfig& spool) {
  SpoolOptions options;
  options.path = spool.path;
  options.retention.retain_for = spool.retain_for;
  options.retention.retain_bytes = spool.retain_bytes;
  using Cursors = RetentionPolicy::Cursors;
  options.retention.cursors = spool.retention_force ? Cursors::Ignore : Cursors::Respect;
  return options;
}

SubscriptionStart subscription_start(const StartConfig& start) {
  switch (start.kind) {
    case StartConfig::Kind::Now: return {};
    case StartConfig::Kind::Beginning: return {SubscriptionStart::Kind::Beginning, {}, {}};
    case StartConfig::Kind::Time: return {SubscriptionStart::Kind::Time, start.time, {}};
    case StartConfig::Kind::Event: return {SubscriptionStart::Kind::Event, {}, start.event};
  }
  LEGION_UNREACHABLE();
}

AgentSpec spec_of(const MailboxConfig& mailbox, const RetryConfig& retry) {
  AgentSpec spec;
  for (const Priority lane : all_priorities) {
    const auto index = lane_index(lane);
    spec.lanes[index].capacity = mailbox.capacity[index];
    spec.lanes[index].overflow = mailbox.overflow[index] == MailboxConfig::Overflow::DropOldest ? Overflow::DropOldest
                                                                                                 : Overflow::DropNewest;
  }
  spec.retry.max_attempts = retry.max_attempts;
  spec.retry.delay = retry.delay;
  spec.retry.backoff = retry.backoff;
  return spec;
}

std::string confirm_of(std::uint8_t spools) {
  if (spools == 0) return "nothing durable (spools = 0: captured if there is a spool, and delivered at once)";
  return "on disk (fsync) at " + std::to_string(spools) + (spools == 1 ? " spool" : " spools");
}

std::string spool_meaning(const SpoolConfig& spool) {
  std::string text = "; this node is a spool: " + spool.path + ", keeps ";
  if (!spool.retain_for && !spool.retain_bytes) return text + "everything";
  if (spool.retain_for) text += format_duration(*spool.retain_for);
  if (spool.retain_for && spool.retain_bytes) text += " and ";
  if (spool.retain_bytes) text += "at most " + format_size(*spool.retain_bytes);
  return text;
}

MiddlewareSpec::Settings step_settings(const MiddlewareConfig& step) {
  switch (step.step) {
    case MiddlewareKind::Where: return WhereStep{*step.where};
    case MiddlewareKind::Validate: return ValidateStep{};
    case MiddlewareKind::Expire: return ExpireStep{step.after};
    case MiddlewareKind::Deduplicate: return DeduplicateStep{step.window, step.window_for, step.by};
    case MiddlewareKind::Limit:
      return LimitStep{step.rate, step.burst.value_or(std::max(step.rate, 1.0)), step.by, step.buckets};
    case MiddlewareKind::Sample: return SampleStep{step.share, step.by};
    case MiddlewareKind::Redact: return RedactStep{Redaction::create(step.fields, step.with).value()};
    case MiddlewareKind::Upcast: return UpcastStep{};
    case MiddlewareKind::Zstd: return ZstdStep{step.min_bytes};
  }
  LEGION_UNREACHABLE();
}

}  // namespace

NodeHostOptions node_options(const NodeConfig& config, std::string version) {
  NodeHostOptions options;
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
  options.remote_defaults = spec_of(config.dispatch.mailbox, config.retry);
  for (const MiddlewareConfig& step : config.middleware) {
    using On = MiddlewareSpec::On;
    options.middleware.push_back({.name = step.name,
                                  .on = step.on == MiddlewarePlace::Publish ? On::Publish : On::Dispatch,
                                  .type = step.type,
                                  .agents = step.agents,
                                  .settings = step_settings(step)});
  }
  for (const Priority lane : all_priorities) {
    options.queue_capacity[lane_index(lane)] = config.publish.queue[lane_index(lane)];
  }
  options.journal.confirmed_bytes = config.journal.confirmed_bytes;
  options.journal.captured_bytes = config.journal.captured_bytes;
  using SpoolsExpected = JournalOptions::SpoolsExpected;
  options.journal.spools_expected = expects_spools(config) ? SpoolsExpected::Yes : SpoolsExpected::No;
  if (config.spool) {
    options.spool = spool_options(*config.spool);
    if (std::ranges::find(options.roles, "spool") == options.roles.end()) options.roles.emplace_back("spool");
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
  AgentSpec spec = spec_of(agent.mailbox, agent.retry);
  spec.name = agent.name;
  spec.concurrency = agent.concurrency;
  // The others answer before they return.
  const auto* exec = std::get_if<ExecConfig>(&agent.host);
  if (exec != nullptr && exec->handler_timeout > Duration{0}) spec.handler_timeout = exec->handler_timeout;
  spec.state = AgentState::Down;
  return spec;
}

RemoteOptions remote_options(const RemoteConfig& remote) {
  return {.terms = {.credit = remote.credit, .lease = remote.lease, .handler_timeout = remote.handler_timeout}};
}

std::vector<SubscriptionOptions> subscription_options(const AgentConfig& agent) {
  std::vector<SubscriptionOptions> all;
  for (const SubscribeConfig& subscribe : agent.subscribe) {
    SubscriptionOptions options;
    options.spec = {subscribe.type, subscribe.tier, subscribe.where};
    if (subscribe.durable) options.durable = DurableOptions{*subscribe.durable, subscription_start(subscribe.start)};
    if (subscribe.group) {
      options.group = GroupOptions{*subscribe.group, subscribe.home.value_or(""), subscribe.shares,
                                   subscription_start(subscribe.start)};
    }
    using Replays = SubscriptionOptions::Replays;
    options.replays = subscribe.replay ? Replays::Yes : Replays::No;
    all.push_back(std::move(options));
  }
  return all;
}

std::string confirm_meaning(const NodeConfig& config) {
  std::uint8_t usual = 1;
  for (const TopicRule& rule : config.topics) {
    if (rule.prefix.text() == "*" && rule.spools) usual = *rule.spools;
  }
  std::string text = "a confirm means " + confirm_of(usual);
  std::size_t exceptions = 0;
  for (const TopicRule& rule : config.topics) {
    if (rule.prefix.text() == "*" || !rule.spools || *rule.spools == usual) continue;
    if (++exceptions > exceptions_shown_max) continue;
    text += "; of " + rule.prefix.text() + " " + confirm_of(*rule.spools);
  }
  if (exceptions > exceptions_shown_max) {
    text += "; and " + std::to_string(exceptions - exceptions_shown_max) + " more exceptions";
  }
  if (config.spool) text += spool_meaning(*config.spool);
  return text;
}

}  // namespace legion
