// The plan in words.
#include <cstdio>

#include <legion/base/assert.hpp>

#include "plan.hpp"

namespace legion::sim {

namespace {

struct Word {
  std::string_view name;
  std::string_view what;
};

constexpr Word fault_words[fault_count] = {
    {"partition", "a group of hosts cannot reach the others; nobody is told"},
    {"one_way", "what one host sends to another does not arrive"},
    {"flap", "the link of two hosts goes and comes"},
    {"delay", "a link takes up to 1.5 s"},
    {"capacity", "a link carries a few KB a second"},
    {"clog", "bytes stand still between two hosts, and nobody is told"},
    {"reset", "all connections of two hosts break at once"},
    {"crash", "kill -9, started again with its files"},
    {"wipe", "killed, started again on an empty disk"},
    {"power_cut", "a host falls silent, what it had not synced is lost"},
    {"pause", "SIGSTOP for up to 12 s"},
    {"wall_step", "the wall clock of a host jumps by up to 20 s"},
    {"slow_disk", "an fsync takes up to 1 s"},
    {"disk_error", "a write fails with EIO; the spool is started again later"},
    {"disk_full", "ENOSPC; the spool is started again later"},
    {"damaged_block", "a spool is killed and finds a block damaged"},
    {"restart", "SIGTERM, drained, started again"},
    {"agent_down", "an agent goes away for a while"},
    {"requeue", "an operator requeues dead letters"},
    {"purge", "an operator purges a dead letter"},
    {"skip", "an operator skips what is missing"},
    {"reset_cursor", "an operator resets a durable subscription"},
    {"replay", "an operator replays what a spool has into the mesh"},
};

constexpr std::string_view manner_words[manner_count] = {
    "fine", "slow", "publishes", "fails_first", "poison", "hangs", "defers", "stops", "rejects", "kills_once", "kills"};

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}
std::string text_of(Duration value) { return text_of(static_cast<double>(value.count()) / 1e9) + "s"; }

std::string line_of(const TypePlan& type) {
  std::string line = "  type " + type.type + ' ' + std::string(to_string(type.priority)) + ' ' +
                     std::string(to_string(type.durability)) + ' ' + std::string(to_string(type.deliver)) + " spools " +
                     std::to_string(type.spools) + " shards " + std::to_string(type.shards);
  if (type.ttl) line += " ttl " + text_of(*type.ttl);
  return line + '\n';
}

std::string line_of(const SubscriptionPlan& subscription, std::size_t number) {
  std::string line = "      subscription " + std::to_string(number) + ' ' + subscription.filter + " tier " +
                     std::string(to_string(subscription.tier));
  if (!subscription.durable.empty()) {
    line += " durable " + subscription.durable +
            (subscription.start == SubscriptionPlan::Start::Now ? " from now" : " from the beginning");
  }
  if (subscription.in_group) line += " in the group";
  if (subscription.replays) line += " replays";
  for (std::size_t i = 0; i < manner_count; ++i) {
    if (subscription.manners[i] > 0)
      line += ' ' + std::string(manner_words[i]) + ' ' + text_of(subscription.manners[i]);
  }
  return line + '\n';
}

std::string lines_of(const HostPlan& host, const Plan& plan) {
  std::string lines = "  host " + host.name + ' ' + host.address + (host.spool ? " spool" : "") + " workers " +
                      std::to_string(host.workers) + " wall " + text_of(host.wall_offset) + " journals " +
                      std::to_string(host.confirmed_bytes) + '/' + std::to_string(host.captured_bytes) + " queues";
  for (const std::size_t capacity : host.queue_capacity) lines += ' ' + std::to_string(capacity);
  lines += '\n';
  for (const PublisherPlan& publisher : host.publishers) {
    lines += "    " + publisher.name + ' ' + text_of(publisher.events_per_second) + "/s in " +
             std::to_string(publisher.burst) + "s, keys " + std::to_string(publisher.keys) + ':';
    for (const std::size_t type : publisher.types) lines += ' ' + plan.types[type].type;
    lines += '\n';
  }
  for (const HandlerPlan& handler : host.handlers) {
    lines += "    " + handler.name + (handler.answers == Agent::Answers::AtOnce ? " at once" : " later") +
             " concurrency " + std::to_string(handler.concurrency) + " attempts " +
             std::to_string(handler.retry.max_attempts) + " delay " + text_of(handler.retry.delay) + " timeout " +
             (handler.handler_timeout ? text_of(*handler.handler_timeout) : "-") + " mailboxes";
    for (const LaneSpec& lane : handler.lanes) {
      lines += ' ' + std::to_string(lane.capacity) + (lane.overflow == Overflow::DropOldest ? "o" : "n");
    }
    lines += '\n';
    for (const std::size_t number : handler.subscriptions) lines += line_of(plan.subscriptions[number], number);
  }
  return lines;
}

std::string line_of(const FaultPlan& fault, const Plan& plan) {
  std::string line =
      "  at " + text_of(fault.at) + ' ' + std::string(to_string(fault.kind)) + ' ' + plan.hosts[fault.a].name;
  if (is_of_network(fault.kind)) line += ' ' + plan.hosts[fault.b].name;
  if (fault.kind == Fault::Partition) {
    line = "  at " + text_of(fault.at) + " partition";
    for (std::size_t i = 0; i < plan.hosts.size(); ++i) {
      if ((fault.group >> i & 1) != 0) line += ' ' + plan.hosts[i].name;
    }
  }
  return line + " for " + text_of(fault.lasts) + ", " + text_of(fault.amount) + '\n';
}

}  // namespace

std::string_view to_string(Fault fault) { return fault_words[static_cast<std::size_t>(fault)].name; }
std::string_view describe(Fault fault) { return fault_words[static_cast<std::size_t>(fault)].what; }
std::string_view to_string(Manner manner) { return manner_words[static_cast<std::size_t>(manner)]; }
bool is_of_network(Fault fault) { return fault <= Fault::Reset; }
bool is_of_operators(Fault fault) { return fault >= Fault::Requeue; }

std::string describe(const Plan& plan) {
  std::string text = "seed " + std::to_string(plan.seed) + (plan.wild ? ", wild" : ", calm") + "; heartbeat " +
                     text_of(plan.heartbeat_interval) + ", links " + text_of(plan.link_delay) + "; safety " +
                     text_of(plan.safety) + ", books " + text_of(plan.books) + '\n';
  if (plan.mark_max > 0) text += "  high-water marks of at most " + std::to_string(plan.mark_max) + '\n';
  if (plan.retain_for) text += "  spools retain for " + text_of(*plan.retain_for) + '\n';
  for (const TypePlan& type : plan.types) text += line_of(type);
  for (const HostPlan& host : plan.hosts) text += lines_of(host, plan);
  for (const FaultPlan& fault : plan.faults) text += line_of(fault, plan);
  if (!plan.network_faults.empty()) text += "  while the books are watched:\n";
  for (const FaultPlan& fault : plan.network_faults) text += line_of(fault, plan);
  return text;
}

}  // namespace legion::sim
