// G9: what a gate did not let through reaches nobody below it.
#include <algorithm>

#include "checks.hpp"

namespace legion::sim {

void check_gates(const Evidence& evidence, Violations& violations) {
  for (std::size_t i = 0; i < evidence.history.hand_overs.size(); ++i) {
    const HandOver& one = evidence.at(i);
    const SubscriptionPlan& drawn = evidence.plan.subscriptions[one.subscription];
    if (drawn.is_gate()) continue;
    const std::string type(original_type(evidence.history.streams[one.place.stream].type));
    for (const std::uint32_t gate : evidence.gates_for(drawn.host, type)) {
      const auto& asked = evidence.hand_overs(gate, one.place);
      const bool said_yes = std::ranges::any_of(asked, [&](std::size_t number) {
        const HandOver& answer = evidence.at(number);
        return answer.life == one.life && answer.ending == Ending::Done && answer.ended <= one.at &&
               evidence.answered(answer);
      });
      if (said_yes || violations.size() >= violations_per_check_max) continue;
      violations.push_back({"G9 gates", "handed to subscription " + std::to_string(one.subscription) + " of " +
                                            evidence.agent_of(one.subscription) + " at " + text_of(one.at) +
                                            ", though gate " + std::to_string(gate) +
                                            " had not said done in that life\n" + evidence.history.story(one.place)});
    }
  }
}

}  // namespace legion::sim
