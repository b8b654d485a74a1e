// Figures of a node at one moment.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/event/priority.hpp>
#include <legion/event/publish.hpp>

namespace legion {

/// Durations of many calls; a percentile is off by at most 2 %.
struct LatencyFigures {
  std::uint64_t count = 0;
  Duration p50{};
  Duration p99{};
  Duration max{};
};

/// One handler. Attempts are counted when they are reported, events when their fate is known.
struct HandlerStatistics {
  std::string agent{};
  std::string filter{};  ///< as written
  Priority tier = Priority::Normal;
  std::uint64_t total = 0;      ///< attempts
  std::uint64_t errors = 0;     ///< of them, those that failed: retry, reject, time-out
  double error_rate = 0;        ///< errors / attempts that ended, 0 without any
  std::uint64_t retries = 0;    ///< of total, those that were not the first
  std::uint64_t deferrals = 0;
  std::uint64_t in_flight = 0;  ///< events in hands now
  std::uint64_t delivered = 0;  ///< events
  std::uint64_t filtered = 0;   ///< not for this handler: stopped by an earlier tier, or by a condition
  std::uint64_t expired = 0;
  std::uint64_t dead = 0;       ///< dead letters
  std::uint64_t lost = 0;       ///< on this node: mailbox full, or the node stopped
  std::uint64_t pending = 0;    ///< waiting, retried or deferred
  LatencyFigures handler_time{};         ///< hand-over to answer
  LatencyFigures publish_to_dispatch{};  ///< event time to first hand-over
};

struct Statistics {
  std::vector<HandlerStatistics> handlers{};  ///< in the order they were registered, without those that were removed
  std::uint64_t handled = 0;     ///< attempts of all handlers, also of removed ones
  std::uint64_t errors = 0;
  double error_rate = 0;
  std::uint64_t published = 0;   ///< answered with Queued; the node's own events (heartbeats, agent.ready) included
  std::uint64_t would_block = 0;
  std::uint64_t refused = 0;     ///< answered with anything else
  std::size_t alive_members = 1; ///< of the mesh, this node included
};

}  // namespace legion
