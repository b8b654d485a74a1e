#include "plan.hpp"

#include <algorithm>
#include <cmath>

#include <legion/base/assert.hpp>
#include <legion/base/rng.hpp>

#include "plan_faults.hpp"
#include "plan_groups.hpp"

namespace legion::sim {

namespace {

template <class T, std::size_t N>
const T& one_of(Rng& rng, const T (&values)[N]) {
  return values[rng.below(N)];
}

double between(Rng& rng, double low, double high) { return low + rng.uniform() * (high - low); }
Duration seconds(double value) { return Duration{static_cast<std::int64_t>(value * 1e9)}; }

constexpr const char* type_names[] = {"trade.approved", "trade.signal", "order.new",  "order.filled",
                                      "risk.limit",     "risk.alert",   "feed.price", "feed.depth"};

TypePlan draw_type(Rng& rng, const char* name, std::size_t spools) {
  TypePlan type;
  type.type = name;
  type.priority = all_priorities[rng.below(limits::lane_count)];
  if (rng.chance(0.2)) type.shards = static_cast<std::uint8_t>(2 + rng.below(3));
  if (rng.chance(0.1)) type.ttl = seconds(between(rng, 0.2, 5));
  const double kind = rng.uniform();
  if (kind < 0.2) return type;
  if (kind < 0.45 || spools == 0) {
    type.durability = Durability::Captured;
    return type;
  }
  type.durability = Durability::Confirmed;
  type.spools = static_cast<std::uint8_t>(spools > 1 && rng.chance(0.4) ? 2 : 1);
  if (rng.chance(0.35)) type.deliver = Deliver::AfterConfirm;
  return type;
}

std::string draw_filter(Rng& rng, const Plan& plan) {
  const std::string& type = plan.types[rng.below(plan.types.size())].type;
  const double kind = rng.uniform();
  if (kind < 0.5) return type;
  if (kind < 0.88) return type.substr(0, type.find('.') + 1);
  return "*";
}

LaneSpec draw_lane(Rng& rng, bool wild) {
  LaneSpec lane;
  const std::size_t roomy[] = {64, 256, 1000};
  const std::size_t narrow[] = {4, 8, 16, 64};
  lane.capacity = wild && rng.chance(0.4) ? one_of(rng, narrow) : one_of(rng, roomy);
  lane.overflow = rng.chance(0.5) ? Overflow::DropOldest : Overflow::DropNewest;
  return lane;
}

void set(SubscriptionPlan& subscription, Manner manner, double probability) {
  subscription.manners[static_cast<std::size_t>(manner)] = probability;
}

/// Most handlers are well-behaved most of the time; in each run some kinds of trouble exist.
void draw_manners(Rng& rng, SubscriptionPlan& subscription, const HandlerPlan& handler, bool wild) {
  const bool is_gate = subscription.is_gate();
  const double much = wild ? 1.0 : 0.3;
  const auto some = [&](double in_the_run, double rate) {
    return rng.chance(in_the_run * much) ? rng.uniform() * rate : 0.0;
  };
  set(subscription, Manner::Slow, rng.uniform() * 0.2);
  set(subscription, Manner::FailsFirst, some(0.6, 0.05));
  set(subscription, Manner::Poison, some(0.4, 0.015));
  set(subscription, Manner::Stops, some(0.4, 0.05));
  set(subscription, Manner::Rejects, some(0.4, 0.03));
  set(subscription, Manner::Publishes, is_gate ? 0.0 : some(0.3, 0.05));
  if (handler.answers == Agent::Answers::Later) {
    set(subscription, Manner::Defers, some(0.5, 0.03));
    if (handler.handler_timeout) set(subscription, Manner::Hangs, some(0.4, 0.006));
  }
  if (!wild) return;
  set(subscription, Manner::KillsOnce, some(0.25, 0.01));
  if (!subscription.durable.empty() || is_gate) set(subscription, Manner::Kills, some(0.15, 0.005));
}

HandlerPlan draw_handler(Rng& rng, const Plan& plan, std::string name) {
  HandlerPlan handler;
  handler.name = std::move(name);
  handler.answers = rng.chance(0.5) ? Agent::Answers::AtOnce : Agent::Answers::Later;
  if (rng.chance(0.25)) handler.concurrency = static_cast<std::uint32_t>(2 + rng.below(4));
  handler.retry.max_attempts = static_cast<std::uint32_t>(rng.chance(0.7) ? 3 : 1 + rng.below(4));
  handler.retry.delay = seconds(between(rng, 0.02, 0.3));
  if (handler.answers == Agent::Answers::Later && rng.chance(0.5))
    handler.handler_timeout = seconds(between(rng, 1, 3));
  for (LaneSpec& lane : handler.lanes) lane = draw_lane(rng, plan.wild);
  handler.consequence = rng.below(plan.types.size());
  return handler;
}

void draw_handlers(Rng& rng, Plan& plan, std::size_t host) {
  HostPlan& here = plan.hosts[host];
  const std::size_t handlers = here.spool ? rng.below(2) : 1 + rng.below(3);
  const bool guarded = handlers > 0 && rng.chance(0.4);
  for (std::size_t i = 0; i < handlers + (guarded ? 1 : 0); ++i) {
    const bool is_gate = guarded && i == handlers;
    HandlerPlan handler = draw_handler(rng, plan, is_gate ? "gate" : "agent" + std::to_string(i));
    const std::size_t wanted = is_gate ? 1 : 1 + rng.below(2);
    for (std::size_t k = 0; k < wanted; ++k) {
      SubscriptionPlan subscription;
      subscription.filter = draw_filter(rng, plan);
      constexpr Priority tiers[] = {Priority::High, Priority::Normal, Priority::Normal, Priority::Low};
      subscription.tier = is_gate ? Priority::Critical : one_of(rng, tiers);
      if (!is_gate && plan.spools() > 0 && rng.chance(0.55)) {
        subscription.durable = here.name + "." + handler.name + "." + std::to_string(k);
        subscription.start = rng.chance(0.6) ? SubscriptionPlan::Start::Beginning : SubscriptionPlan::Start::Now;
      }
      subscription.replays = rng.chance(0.2);
      subscription.host = host;
      subscription.agent = here.handlers.size();
      draw_manners(rng, subscription, handler, plan.wild);
      handler.subscriptions.push_back(plan.subscriptions.size());
      plan.subscriptions.push_back(std::move(subscription));
    }
    here.handlers.push_back(std::move(handler));
  }
}

void draw_publishers(Rng& rng, Plan& plan, HostPlan& host, double events_per_second) {
  const std::size_t count = 1 + rng.below(2);
  for (std::size_t i = 0; i < count; ++i) {
    PublisherPlan publisher;
    publisher.name = "pub" + std::to_string(i);
    publisher.events_per_second = events_per_second / static_cast<double>(count);
    const std::size_t bursts[] = {1, 1, 1, 4, 20, 20, 120};
    publisher.burst = one_of(rng, bursts);
    const std::size_t types = 1 + rng.below(3);
    for (std::size_t k = 0; k < types; ++k) publisher.types.push_back(rng.below(plan.types.size()));
    if (rng.chance(0.5)) publisher.keys = 1 + rng.below(6);
    publisher.wants_confirms = rng.chance(0.8);
    host.publishers.push_back(std::move(publisher));
  }
}

HostPlan draw_host(Rng& rng, const Plan& plan, std::size_t number, std::size_t spools) {
  HostPlan host;
  host.spool = number < spools;
  host.name = (host.spool ? "s" : "n") + std::to_string(number + 1);
  host.address = "10.0.0." + std::to_string(number + 1);
  host.workers = 1 + rng.below(3);
  const std::size_t roomy[] = {256, 1024, 8192};
  const std::size_t narrow[] = {16, 32, 128};
  for (std::size_t& capacity : host.queue_capacity) {
    capacity = plan.wild && rng.chance(0.3) ? one_of(rng, narrow) : one_of(rng, roomy);
  }
  const std::uint64_t journals[] = {12 << 10, 64 << 10, 256 << 10, 4 << 20};
  host.confirmed_bytes = plan.wild ? one_of(rng, journals) : 4 << 20;
  const std::uint64_t captured[] = {3 << 10, 12 << 10, 64 << 10, 4 << 20};  // what finds no room becomes a void
  host.captured_bytes = plan.wild ? one_of(rng, captured) : 4 << 20;
  if (rng.chance(0.3)) host.wall_offset = seconds(between(rng, -30, 30));
  return host;
}

/// More at once than an agent handles in a second, in every lane.
void draw_flood(Rng& rng, Plan& plan) {
  const std::size_t host = plan.hosts.size() - 1;  // no spool
  HostPlan& here = plan.hosts[host];
  const char* names[limits::lane_count] = {"flood.critical", "flood.high", "flood.normal", "flood.low"};
  PublisherPlan publisher;
  publisher.name = "flood";
  publisher.events_per_second = between(rng, 8, 16);
  publisher.burst = 200 + rng.below(200);
  for (const Priority lane : all_priorities) {
    publisher.types.push_back(plan.types.size());
    TypePlan type;
    type.type = names[lane_index(lane)];
    type.priority = lane;
    plan.types.push_back(type);
  }
  here.publishers.push_back(publisher);
  here.queue_capacity.fill(8192);
  HandlerPlan handler;
  handler.name = "bucket";
  for (LaneSpec& lane : handler.lanes) lane.capacity = 1000;
  SubscriptionPlan subscription;
  subscription.filter = "flood.";
  subscription.tier = Priority::High;
  subscription.host = host;
  subscription.agent = here.handlers.size();
  set(subscription, Manner::Slow, 0.2);
  handler.subscriptions.push_back(plan.subscriptions.size());
  plan.subscriptions.push_back(subscription);
  here.handlers.push_back(std::move(handler));
}

}  // namespace

PolicyTable Plan::policy() const {
  std::vector<TopicRule> rules;
  for (const TypePlan& type : types) {
    TopicRule rule;
    rule.prefix = Filter::parse(type.type).value();
    rule.priority = type.priority;
    rule.durability = type.durability;
    rule.deliver = type.deliver;
    if (type.durability == Durability::Confirmed) rule.spools = type.spools;
    rule.shards = type.shards;
    rule.ttl = type.ttl;
    rules.push_back(std::move(rule));
  }
  return PolicyTable(std::move(rules));
}

std::size_t Plan::spools() const {
  return static_cast<std::size_t>(std::ranges::count_if(hosts, [](const HostPlan& host) { return host.spool; }));
}

Filter Plan::filter(std::size_t subscription) const {
  return Filter::parse(subscriptions[subscription].filter).value();
}

Plan draw_plan(std::uint64_t seed) {
  Rng rng(seed * 0x9e3779b97f4a7c15u + 0x51);
  Plan plan;
  plan.seed = seed;
  plan.wild = rng.chance(0.6);
  const std::size_t nodes = 3 + rng.below(5);
  const std::size_t spool_draws[] = {0, 1, 1, 2, 2, 2, 3};
  const std::size_t spools = std::min(one_of(rng, spool_draws), nodes - 1);
  const std::size_t types = 3 + rng.below(std::size(type_names) - 2);
  for (std::size_t i = 0; i < types; ++i) plan.types.push_back(draw_type(rng, type_names[i], spools));
  if (rng.chance(0.4)) {
    plan.heartbeat_interval = 500ms;
    plan.suspect_after = 1500ms;
    plan.dead_after = 4s;
  }
  plan.link_delay = Duration{static_cast<std::int64_t>(between(rng, 20e3, rng.chance(0.2) ? 20e6 : 500e3))};
  plan.link_jitter = rng.uniform() * 0.5;
  for (std::size_t i = 0; i < nodes; ++i) plan.hosts.push_back(draw_host(rng, plan, i, spools));
  for (std::size_t i = 0; i < nodes; ++i) draw_handlers(rng, plan, i);
  const double events_per_second = between(rng, 8, 32);
  std::size_t publishing = 0;
  for (const HostPlan& host : plan.hosts) publishing += host.spool ? 0 : 1;
  for (HostPlan& host : plan.hosts) {
    if (!host.spool) draw_publishers(rng, plan, host, events_per_second / static_cast<double>(publishing));
  }
  if (rng.chance(0.25)) draw_flood(rng, plan);
  plan.safety = seconds(between(rng, 25, 60));
  plan.books = seconds(between(rng, 8, 20));
  plan.store_loss_max = plan.wild ? rng.below(2) : 0;
  if (rng.chance(0.15)) plan.retain_for = seconds(between(rng, 1, 6));
  // Drawn beside the others, so that the runs of known seeds stay what they were.
  if (plan.wild && chance_of(plan.seed, 4711, 1) < 0.3)
    plan.mark_max = 1 << (2 + static_cast<int>(chance_of(plan.seed, 4711, 2) * 4));
  draw_group(plan);
  plan.faults = draw_faults(rng, plan, FaultsOf::Everything, plan.safety);
  plan.network_faults = draw_faults(rng, plan, FaultsOf::Network, plan.books);
  leave_only_what_members_meet(plan);
  return plan;
}

double chance_of(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
  return Rng(seed ^ (a * 0xd6e8feb86659fd93u) ^ (b * 0xa0761d6478bd642fu)).uniform();
}

Manner manner_of(const Plan& plan, std::size_t subscription, std::uint64_t tag) {
  double drawn = chance_of(plan.seed, subscription + 1, tag);
  const auto& manners = plan.subscriptions[subscription].manners;
  for (std::size_t i = 0; i < manner_count; ++i) {
    drawn -= manners[i];
    if (drawn < 0) return static_cast<Manner>(i);
  }
  return Manner::Fine;
}

std::uint32_t failures_of(const Plan& plan, std::size_t subscription, std::uint64_t tag) {
  const std::uint32_t max = plan.handler(plan.subscriptions[subscription]).retry.max_attempts;
  if (max < 2) return 0;
  return 1 + static_cast<std::uint32_t>(chance_of(plan.seed, subscription + 1001, tag) * static_cast<double>(max - 1));
}

}  // namespace legion::sim
