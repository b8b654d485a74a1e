// The processes a benchmark consists of. A publisher and a subscriber each exist as a node of a mesh and as bare
// sockets; both kinds are driven, paced, counted and timed by the same code, so that they differ in nothing else.
//
// Lines a role writes:  {"ready":[PORT..]}; {"heard":METER} when a meter has heard each of its flows; after "go", when
//                       done, {"published":[N..],"elapsed_ns":N,"blocked":N}, one N for each flow
// Lines a role reads:   "go" (the measurement begins), "report" (say what arrived). The end of input ends the role.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <legion/base/error.hpp>

#include "meter.hpp"
#include "payload.hpp"
#include "role_spec.hpp"

namespace legion::bench {

enum class Sent : std::uint8_t { Yes, TryAgain, Failed };

/// One publishing thread's way out.
struct Outlet {
  std::uint8_t flow = 0;
  std::function<Sent(const Payload& payload)> send;
};

/// Says it is ready, sends warm-ups through every outlet until it is told to go, publishes with a thread for each
/// outlet and answers for the meters until the end of input. Returns the exit code.
int serve(const std::vector<std::uint16_t>& ports, Pace pace, const std::vector<Outlet>& outlets, const Meters& meters);

int complain(const Error& error);

/// A node with an agent that publishes, agents that meter, or both.
int mesh_role(const RoleSpec& spec);
/// PUB sockets, one a flow; or one SUB socket; or both ends of one inproc pipe (PUSH and PULL).
int raw_role(const RoleSpec& spec);
/// Of a spool and of who publishes to it.
int spool_role(const RoleSpec& spec);
/// Whose durable subscription has gaps.
int repair_role(const RoleSpec& spec);

}  // namespace legion::bench
