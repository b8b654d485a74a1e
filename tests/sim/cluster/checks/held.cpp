// G3: nobody is handed what is to be durable first before it is.
#include "checks.hpp"

namespace legion::sim {

void check_held(const Evidence& evidence, Violations& violations) {
  constexpr Duration callback_delay = 5ms;  // the confirm is told by another thread than the one that sends
  for (const HandOver& one : evidence.history.hand_overs) {
    const Publishing* told = evidence.history.published_at(one.place);
    if (told == nullptr || one.replayed || violations.size() >= violations_per_check_max) continue;
    const TypePlan& type = evidence.plan.types[told->type];
    if (type.deliver != Deliver::AfterConfirm || !told->confirmed || one.at + callback_delay >= *told->confirmed) continue;
    violations.push_back({"G3 after_confirm", "handed over before it was durable\n" + evidence.history.story(one.place)});
  }
}

}  // namespace legion::sim
