// G4: no lane of an agent is passed over for long while it has work.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "checks.hpp"

namespace legion::sim {

namespace {

constexpr std::size_t hand_overs_max = 64;
constexpr std::size_t slack = 16;  // what was under way when it came

/// Hand-overs at one agent in one life, in order.
using ByAgent = std::map<std::pair<LifeNo, std::size_t>, std::vector<std::size_t>>;

/// From when on an event of the node's own could be handed over; nothing: it came from elsewhere, and that is not
/// known.
std::optional<SteadyTime> offered_at(const Evidence& evidence, const HandOver& one) {
  const Publishing* told = evidence.history.published_at(one.place);
  if (told == nullptr || told->life != one.life || !told->numbered) return std::nullopt;
  const TypePlan& type = evidence.plan.types[told->type];
  if (type.deliver == Deliver::AfterConfirm || evidence.is_durable(one.subscription)) return std::nullopt;
  return told->numbered;
}

/// A handler that never makes what follows wait, on a node where nobody is asked first.
bool is_always_ready(const Evidence& evidence, const HandOver& one) {
  const SubscriptionPlan& drawn = evidence.plan.subscriptions[one.subscription];
  const HandlerPlan& handler = evidence.plan.handler(drawn);
  if (handler.answers != Agent::Answers::AtOnce || handler.concurrency != 1) return false;
  const std::string& type = evidence.history.streams[one.place.stream].type;
  const auto none = [&](Manner manner) { return drawn.manners[static_cast<std::size_t>(manner)] == 0; };
  const bool alone = std::ranges::all_of(evidence.plan.subscriptions, [&](const SubscriptionPlan& other) {
    return &other == &drawn || other.host != drawn.host || other.tier >= drawn.tier ||
           !Filter::parse(other.filter)->matches(type);
  });
  return alone && none(Manner::FailsFirst) && none(Manner::Poison) && one.attempt == 1;
}

void judge(const Evidence& evidence, const std::vector<std::size_t>& numbers, Violations& violations) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const HandOver& one = evidence.at(numbers[i]);
    const Priority lane = evidence.history.streams[one.place.stream].lane;
    if (lane == Priority::Critical || !is_always_ready(evidence, one)) continue;
    const auto offered = offered_at(evidence, one);
    if (!offered) continue;
    std::size_t before = 0, of_this_lane = 0;
    for (std::size_t k = i; k-- > 0;) {
      const HandOver& other = evidence.at(numbers[k]);
      if (other.at < *offered) break;
      ++before;
      of_this_lane += evidence.history.streams[other.place.stream].lane >= lane ? 1 : 0;
    }
    if (before <= hand_overs_max * (of_this_lane + 1) + slack || violations.size() >= violations_per_check_max)
      continue;
    violations.push_back({"G4 starvation", "waited for " + std::to_string(before) + " hand-overs, of which " +
                                               std::to_string(of_this_lane) + " of its lane or a lower one, at " +
                                               evidence.agent_of(one.subscription) + '\n' +
                                               evidence.history.story(one.place)});
  }
}

}  // namespace

void check_starvation(const Evidence& evidence, Violations& violations) {
  ByAgent by_agent;
  for (std::size_t i = 0; i < evidence.history.hand_overs.size(); ++i) {
    const HandOver& one = evidence.at(i);
    by_agent[{one.life, evidence.plan.subscriptions[one.subscription].agent}].push_back(i);
  }
  for (const auto& [agent, numbers] : by_agent) judge(evidence, numbers, violations);
}

}  // namespace legion::sim
