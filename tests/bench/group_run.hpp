// One run of a benchmark that consists of several processes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include <legion/base/error.hpp>

#include "children.hpp"
#include "role_spec.hpp"

namespace legion::bench {

struct GroupSpec {
  Kind kind = Kind::Mesh;
  /// In any order; a run sees to it that each finds the others. Their kind does not matter, but for a spool, which has
  /// to stand before the publishers.
  std::vector<RoleSpec> roles{};
  /// This role, a subscriber, is stopped (SIGSTOP) from before the first event until all others have settled.
  std::optional<std::size_t> stopped{};
};

/// What one meter came to.
struct MeterRun {
  std::uint64_t expected = 0;  ///< published in its flows
  std::uint64_t delivered = 0;
  double per_s = 0;            ///< between the first and the last arrival
  double p50_us = 0;           ///< Timing::Latency only, as the next two
  double p99_us = 0;
  double max_us = 0;
  nlohmann::ordered_json books;  ///< Mesh: losses by reason as its node counts them; Raw: null

  /// By the bench's own count.
  std::uint64_t lost() const { return expected - delivered; }
};

/// What one process came to.
struct RoleRun {
  std::uint64_t published = 0;
  double published_per_s = 0;
  std::uint64_t blocked = 0;           ///< times a publishing thread was told to try again
  double cpu_ns_per_event = 0;         ///< processor time of the process while it published; publishers only
  std::uint64_t memory_growth_bytes = 0;  ///< of its peak over what it was before the first event; publishers only
  std::vector<MeterRun> meters;        ///< as in its RoleSpec
};

using GroupRun = std::vector<RoleRun>;  // as the roles of the GroupSpec

/// Starts the processes, waits until every meter hears each of its flows, publishes, and waits until everything
/// published has arrived or is known to be lost; for a mesh that is when the books of each node say the same as the
/// bench. Every process has ended when it returns. Errors: what a process answered; TimedOut with both counts when the
/// books disagree; Internal when a process did not end well.
Result<GroupRun> run_group(const Interrupts& interrupts, const GroupSpec& spec);

}  // namespace legion::bench
