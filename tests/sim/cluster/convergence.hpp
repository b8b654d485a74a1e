// Whether a mesh has come to rest, as far as its nodes say so.
#pragma once

#include <string>
#include <vector>

#include "operators.hpp"
#include "plan.hpp"

namespace legion::sim {

/// Empty: everything is settled. Otherwise what is not, a line each.
std::string unsettled(const Plan& plan, const std::vector<NodeReport>& reports);

}  // namespace legion::sim
