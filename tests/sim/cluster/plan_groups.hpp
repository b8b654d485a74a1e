// Groups of a plan: drawn beside everything else, and only for seeds of their own, so that the others keep their runs.
#pragma once

#include <cstdint>

#include "plan.hpp"

namespace legion::sim {

/// Seeds from here on have a group where they have a spool.
inline constexpr std::uint64_t group_seeds_from = 1'000'000'000'000;

/// Before the faults are drawn: adds the group, its type and who publishes that.
void draw_group(Plan& plan);
/// Afterwards: of some plans nothing is left of the faults but the death of one member, so that the time of the
/// hand-over is nothing but that; of others only members that are told to stop, so that nothing may come twice.
void leave_only_what_members_meet(Plan& plan);

}  // namespace legion::sim
