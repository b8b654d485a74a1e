// When a process has got everything that it will get.
#pragma once

#include <cstdint>

#include <legion/base/error.hpp>

#include "children.hpp"
#include "group_run.hpp"
#include "role_spec.hpp"

namespace legion::bench {

inline constexpr Duration answer_limit = 10s;

/// Waits until the books of the node at `port` account for everything that its meters expect, and fills the meters in.
/// Errors: TimedOut with both counts; BadData; what the process or the node answered.
Result<void> settle_mesh(Child& child, std::uint16_t port, const RoleSpec& spec, RoleRun& run);
/// Without books: waits until everything or, for a while, nothing more has arrived, and fills the meters in.
Result<void> settle_raw(Child& child, RoleRun& run);

}  // namespace legion::bench
