// The part of the plan that goes wrong. Used by draw_plan().
#pragma once

#include <legion/base/rng.hpp>

#include "plan.hpp"

namespace legion::sim {

enum class FaultsOf : std::uint8_t { Everything, Network };
/// Each kind is in the run with a probability of its own, and then comes at a rate that is drawn.
std::vector<FaultPlan> draw_faults(Rng& rng, const Plan& plan, FaultsOf which, Duration phase);

}  // namespace legion::sim
