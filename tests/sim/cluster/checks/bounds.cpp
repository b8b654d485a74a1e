// G5: queues, mailboxes, journals and agents within what the configuration says.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "checks.hpp"

namespace legion::sim {

namespace {

void tell(Violations& violations, std::string what) {
  if (violations.size() < violations_per_check_max) violations.push_back({"G5 bounds", std::move(what)});
}

/// A gate never drops what stands before a durable delivery: of each as many as that has room for.
std::uint64_t stands_before(const Evidence& evidence, std::size_t host, const HandlerPlan& gate, Priority lane) {
  std::uint64_t events = 0;
  if (!evidence.plan.subscriptions[gate.subscriptions.front()].is_gate()) return 0;
  for (const HandlerPlan& handler : evidence.plan.hosts[host].handlers) {
    events += handler.lanes[lane_index(lane)].capacity * handler.subscriptions.size();
  }
  return events;
}

/// Plain deliveries up to the capacity, durable ones besides, and what was in hands and came back.
void judge_agents(const Evidence& evidence, std::size_t host, const NodeReport& report, Violations& violations) {
  for (const auto& agent : report.stats["agents"]) {
    const auto& handlers = evidence.plan.hosts[host].handlers;
    const auto handler = std::ranges::find(handlers, agent["agent"].get<std::string>(), &HandlerPlan::name);
    if (handler == handlers.end()) continue;
    const auto subscriptions = static_cast<std::uint64_t>(handler->subscriptions.size());
    for (const Priority lane : all_priorities) {
      const std::uint64_t depth = agent["depth"][std::string(to_string(lane))];
      const std::uint64_t bound = handler->lanes[lane_index(lane)].capacity * (1 + subscriptions) +
                                  handler->concurrency + 64 + stands_before(evidence, host, *handler, lane);
      if (depth > bound) {
        tell(violations, evidence.plan.hosts[host].name + '/' + handler->name + " holds " + std::to_string(depth) +
                             " in lane " + std::string(to_string(lane)) + " at " + text_of(report.at));
      }
    }
  }
}

void judge_node(const Evidence& evidence, std::size_t host, const NodeReport& report, Violations& violations) {
  if (report.stats.is_null()) return;
  const HostPlan& here = evidence.plan.hosts[host];
  judge_agents(evidence, host, report, violations);
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    const std::uint64_t queued = report.stats["lanes"][lane]["queued"];
    if (queued > here.queue_capacity[lane])
      tell(violations, here.name + " queues " + std::to_string(queued) + " in lane " + std::to_string(lane));
  }
  if (report.stats["journal"].is_null()) return;
  for (const char* kind : {"confirmed", "captured"}) {
    const auto& journal = report.stats["journal"][kind];
    constexpr std::uint64_t one_frame = limits::message_bytes_max;
    if (journal["bytes"].get<std::uint64_t>() > journal["bytes_max"].get<std::uint64_t>() + one_frame) {
      tell(violations, here.name + " keeps " + journal["bytes"].dump() + " bytes in the " + kind + " journal");
    }
  }
}

/// Hand-overs an agent has at once, deferred ones apart.
void judge_concurrency(const Evidence& evidence, Violations& violations) {
  std::map<std::pair<LifeNo, std::size_t>, std::vector<std::optional<SteadyTime>>> in_hands;
  for (const HandOver& one : evidence.history.hand_overs) {
    const SubscriptionPlan& drawn = evidence.plan.subscriptions[one.subscription];
    auto& hands = in_hands[{one.life, drawn.agent}];
    std::erase_if(hands, [&](const std::optional<SteadyTime>& over) { return over && *over <= one.at; });
    if (!one.deferred) hands.push_back(evidence.over_at(one));
    if (hands.size() > evidence.plan.handler(drawn).concurrency) {
      tell(violations, evidence.agent_of(one.subscription) + " has " + std::to_string(hands.size()) +
                           " events in hands at " + text_of(one.at) + '\n' + evidence.history.story(one.place));
    }
  }
}

}  // namespace

void check_bounds(const Evidence& evidence, Violations& violations) {
  for (std::size_t i = 0; i < evidence.samples.size(); ++i) {
    judge_node(evidence, evidence.sampled_hosts[i], evidence.samples[i], violations);
  }
  for (const auto* reports : {&evidence.before_books, &evidence.after_books}) {
    for (std::size_t i = 0; i < reports->size(); ++i) judge_node(evidence, i, (*reports)[i], violations);
  }
  judge_concurrency(evidence, violations);
}

}  // namespace legion::sim
