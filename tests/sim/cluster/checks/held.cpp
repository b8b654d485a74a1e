// G3: nobody is handed what is to be durable first before it is.
#include "checks.hpp"

namespace legion::sim {

void check_held(const Evidence& evidence, Violations& violations) {
  for (const HandOver& one : evidence.history.hand_overs) {
    if (!one.copies || violations.size() >= violations_per_check_max) continue;
    const Publishing* told = evidence.history.published(one.tag);
    const std::size_t wanted = evidence.plan.types[told->type].spools;
    // What was trimmed or lost since was durable before.
    if (evidence.plan.retain_for || *one.copies + evidence.stores_lost_after(told->at) >= wanted) continue;
    violations.push_back({"G3 after_confirm", "handed over while " + std::to_string(*one.copies) +
                                                  " disks had it instead of " + std::to_string(wanted) + '\n' +
                                                  evidence.history.story(one.place)});
  }
}

}  // namespace legion::sim
