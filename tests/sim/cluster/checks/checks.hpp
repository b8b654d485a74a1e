// The judges of a run. Each knows one guarantee and nothing of the product's code, and names the first breaches it
// finds.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cluster/evidence.hpp"

namespace legion::sim {

using Violations = std::vector<Violation>;

/// FIFO per stream at a handler of concurrency 1, else per key; what is not over holds back what follows.
void check_order(const Evidence& evidence, Violations& violations);
/// Every confirmed or stored event was handed to every durable subscription it is for.
void check_at_least_once(const Evidence& evidence, Violations& violations);
/// In every store once, with the same bytes everywhere; confirmed ones on as many stores as their type asks for.
void check_stores(const Evidence& evidence, Violations& violations);
/// A letter after exactly max_attempts, for every poison, for nobody else.
void check_letters(const Evidence& evidence, Violations& violations);
/// Nothing below a gate before all gates said done.
void check_gates(const Evidence& evidence, Violations& violations);
/// What is delivered after its confirm is handed to nobody before.
void check_held(const Evidence& evidence, Violations& violations);
/// In the journals a letter stands before the cursor that passes its event.
void check_records(const Evidence& evidence, Violations& violations);
/// All nodes name the same members.
void check_membership(const Evidence& evidence, Violations& violations);
/// Of 64 hand-overs at an agent each lower lane with work gets one.
void check_starvation(const Evidence& evidence, Violations& violations);
/// No queue above its bound, no agent above its concurrency.
void check_bounds(const Evidence& evidence, Violations& violations);
/// The books balance, and say what happened between two looks at them.
void check_books(const Evidence& evidence, Violations& violations);
/// Nothing comes twice but for a reason; nothing comes that nobody published.
void check_repeats(const Evidence& evidence, Violations& violations);
/// Members of a group share its events: each is handled by somebody, in order, and a dead member is replaced in time.
void check_groups(const Evidence& evidence, Violations& violations);
/// Nobody ends by himself, and who is told to ends well.
void check_ends(const Evidence& evidence, Violations& violations);

struct Check {
  std::string_view name;
  void (*judge)(const Evidence&, Violations&);
};
std::span<const Check> all_checks();

/// At most a few of each kind: the first ones say it all.
inline constexpr std::size_t violations_per_check_max = 3;

}  // namespace legion::sim
