#include "plan_groups.hpp"

#include <algorithm>
#include <numeric>

#include <legion/base/rng.hpp>

namespace legion::sim {

namespace {

constexpr std::uint64_t stream_of_groups = 0x67726f7570;

/// What is left of the faults of a plan.
enum class Only : std::uint8_t { Everything, OneDeath, Restarts };
Only only_of(const Plan& plan) {
  const double drawn = chance_of(plan.seed, 4712, 1);
  if (drawn < 0.3) return Only::OneDeath;
  return drawn < 0.6 ? Only::Restarts : Only::Everything;
}

TypePlan draw_type(Rng& rng) {
  TypePlan type;
  type.type = "group.work";
  type.durability = Durability::Confirmed;
  type.deliver = rng.chance(0.2) ? Deliver::AfterConfirm : Deliver::Live;
  type.spools = 1;
  type.shards = static_cast<std::uint8_t>(1 + rng.below(16));
  type.priority = all_priorities[1 + rng.below(limits::lane_count - 1)];
  return type;
}

void add_member(Rng& rng, Plan& plan, std::size_t host) {
  HostPlan& here = plan.hosts[host];
  HandlerPlan handler;
  handler.name = "worker";
  handler.answers = rng.chance(0.5) ? Agent::Answers::AtOnce : Agent::Answers::Later;
  if (rng.chance(0.3)) handler.concurrency = static_cast<std::uint32_t>(2 + rng.below(3));
  handler.retry.max_attempts = 3;
  handler.retry.delay = 50ms;
  for (LaneSpec& lane : handler.lanes) lane.capacity = 1000;
  SubscriptionPlan subscription;
  subscription.filter = plan.types[plan.group->type].type;
  subscription.in_group = true;
  subscription.host = host;
  subscription.agent = here.handlers.size();
  if (only_of(plan) == Only::Everything) {
    subscription.manners[static_cast<std::size_t>(Manner::Slow)] = rng.uniform() * 0.3;
    subscription.manners[static_cast<std::size_t>(Manner::FailsFirst)] = rng.uniform() * 0.04;
    if (handler.answers == Agent::Answers::Later) {
      subscription.manners[static_cast<std::size_t>(Manner::Defers)] = rng.uniform() * 0.03;
    }
    if (plan.wild && rng.chance(0.3)) subscription.manners[static_cast<std::size_t>(Manner::KillsOnce)] = 0.005;
  }
  handler.subscriptions.push_back(plan.subscriptions.size());
  plan.group->members.push_back(static_cast<std::uint32_t>(plan.subscriptions.size()));
  plan.subscriptions.push_back(std::move(subscription));
  here.handlers.push_back(std::move(handler));
}

}  // namespace

void draw_group(Plan& plan) {
  if (plan.seed < group_seeds_from || plan.spools() == 0) return;
  Rng rng(plan.seed ^ stream_of_groups);
  GroupPlan& group = plan.group.emplace();
  group.name = "crew";
  group.type = plan.types.size();
  group.shares = static_cast<std::uint32_t>(1 + rng.below(8));
  group.home = plan.hosts[rng.below(plan.spools())].name;  // spools come first
  plan.types.push_back(draw_type(rng));
  std::vector<std::size_t> hosts(plan.hosts.size());
  std::iota(hosts.begin(), hosts.end(), std::size_t{0});
  for (std::size_t i = hosts.size(); i > 1; --i) std::swap(hosts[i - 1], hosts[rng.below(i)]);
  // One that is no spool is among them, so that it can die without taking a store along.
  std::iter_swap(hosts.begin(), std::ranges::find_if(hosts, [&](std::size_t host) { return !plan.hosts[host].spool; }));
  const std::size_t members = std::min(hosts.size(), 2 + rng.below(3));
  for (std::size_t i = 0; i < members; ++i) add_member(rng, plan, hosts[i]);
  PublisherPlan publisher;
  publisher.name = "crew-source";
  publisher.events_per_second = 20 + rng.uniform() * 30;
  publisher.types = {group.type};
  publisher.keys = 4 + rng.below(24);
  HostPlan& last = plan.hosts.back();  // no spool
  last.publishers.push_back(std::move(publisher));
}

void leave_only_what_members_meet(Plan& plan) {
  if (!plan.group || only_of(plan) == Only::Everything) return;
  plan.faults.clear();
  plan.network_faults.clear();
  plan.store_loss_max = 0;
  plan.mark_max = 0;
  plan.retain_for.reset();
  for (SubscriptionPlan& subscription : plan.subscriptions) subscription.manners.fill(0);
  if (only_of(plan) == Only::Restarts) {  // so that something is in hands whenever a share is to move
    for (const std::uint32_t member : plan.group->members) {
      plan.subscriptions[member].manners[static_cast<std::size_t>(Manner::Slow)] = 0.8;
    }
  }
  FaultPlan fault;
  fault.kind = only_of(plan) == Only::OneDeath ? Fault::Crash : Fault::Restart;
  fault.at = plan.dead_after + 15s;
  fault.lasts = plan.dead_after + 5s;
  const std::size_t publishing = plan.hosts.size() - 1;
  for (const std::uint32_t member : plan.group->members) {
    fault.a = plan.subscriptions[member].host;
    if (plan.hosts[fault.a].spool || fault.a == publishing) continue;
    plan.faults.push_back(fault);
    plan.safety = fault.at + fault.lasts + 5s;
    fault.at += 8s;
    if (fault.kind == Fault::Crash) return;
  }
}

}  // namespace legion::sim
