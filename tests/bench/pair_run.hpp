// One run of a publisher and a subscriber, each a process of its own.
#pragma once

#include <cstdint>

#include <legion/base/error.hpp>

#include "children.hpp"
#include "roles.hpp"

namespace legion::bench {

enum class Kind : std::uint8_t { Mesh, Raw };

struct PairRun {
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t blocked = 0;      ///< times the publisher was told to try again
  double published_per_s = 0;
  double delivered_per_s = 0;     ///< between the first and the last arrival
  double p50_us = 0;
  double p99_us = 0;
  double max_us = 0;
  nlohmann::ordered_json books;   ///< Mesh: losses by reason as the subscriber's node counts them; Raw: null

  /// By the bench's own count.
  std::uint64_t lost() const { return published - delivered; }
};

/// Waits until everything published has arrived or is known to be lost; for a mesh that is when the node's books say
/// the same as the bench. Errors: what a process answered; TimedOut with both counts when the books disagree.
Result<PairRun> run_pair(const Interrupts& interrupts, Kind kind, Pace pace);

}  // namespace legion::bench
