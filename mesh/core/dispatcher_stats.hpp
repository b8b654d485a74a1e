// A snapshot of what the dispatcher has done and holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <legion/base/histogram.hpp>
#include <legion/core/books.hpp>
#include <legion/core/dispatcher_types.hpp>

namespace legion {

/// One handler, that is one subscription of one agent. Counts attempts, not events. What is handed over in a run counts
/// as an attempt when the run is reported, because until then nobody knows which of its events the handler was given.
struct HandlerStats {
  AgentId agent;
  SubscriptionId subscription;
  std::uint64_t total = 0;      ///< attempts handed over
  std::uint64_t ended = 0;      ///< of total, those that were answered, failed or deferred
  std::uint64_t errors = 0;     ///< attempts that failed: retry, reject, timed out, agent went down
  std::uint64_t retries = 0;    ///< of total, those that were not the first attempt
  std::uint64_t timeouts = 0;   ///< of errors, those that were time-outs
  std::uint64_t deferrals = 0;
  std::uint64_t in_flight = 0;  ///< events in hands now
  LatencyHistogram handler_time;         ///< hand-over to answer (also to "deferred"), steady clock
  LatencyHistogram publish_to_dispatch;  ///< event time to first hand-over, wall clock, at least 0
  Books books;

  /// errors / attempts that ended, 0 without any.
  double error_rate() const;
};

struct LaneStats {
  std::uint64_t enqueued = 0;    ///< deliveries taken into mailboxes
  std::uint64_t dispatched = 0;  ///< attempts handed over, counted as HandlerStats::total
  std::uint64_t depth = 0;       ///< deliveries held in mailboxes now (not those in flight)
  LatencyHistogram publish_to_dispatch;
};

struct AgentStats {
  std::string name;
  AgentState state = AgentState::Up;
  std::uint32_t in_flight = 0;  ///< events
  std::array<std::size_t, limits::lane_count> depth{};
  std::size_t deferred = 0;       ///< of depth
  std::size_t retry_waiting = 0;  ///< of depth
};

struct DispatcherStats {
  std::vector<HandlerStats> handlers;  ///< by SubscriptionId
  std::vector<AgentStats> agents;      ///< by AgentId
  std::array<LaneStats, limits::lane_count> lanes{};
  std::uint64_t stale_outcomes = 0;      ///< answers to tasks that were over: timed out, agent went down, closed
  std::size_t waiting_for_earlier_tier = 0;  ///< deliveries not yet opened
};

}  // namespace legion
