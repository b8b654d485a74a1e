#include <legion/core/dispatcher_stats.hpp>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

std::string_view to_string(DeathReason reason) {
  switch (reason) {
    case DeathReason::HandlerError: return "handler_error";
    case DeathReason::Rejected: return "rejected";
    case DeathReason::GateFailed: return "gate_failed";
    case DeathReason::Undecodable: return "undecodable";
    case DeathReason::Expired: return "expired";
    case DeathReason::Schema: return "schema";
    case DeathReason::UnknownVersion: return "unknown_version";
  }
  LEGION_UNREACHABLE();
}

double HandlerStats::error_rate() const {
  return ended == 0 ? 0.0 : static_cast<double>(errors) / static_cast<double>(ended);
}

Books Dispatcher::books(SubscriptionId subscription) const {
  return state_->handler(subscription).stats.books;
}

DispatcherStats Dispatcher::stats() const {
  DispatcherStats stats;
  stats.handlers.reserve(state_->handlers.size());
  for (const auto& handler : state_->handlers) stats.handlers.push_back(handler.stats);
  stats.agents.reserve(state_->agents.size());
  for (const auto& agent : state_->agents) {
    stats.agents.push_back({.name = agent.spec.name,
                            .state = agent.state,
                            .in_flight = state_->events_in_flight(agent),
                            .depth = agent.depth,
                            .deferred = agent.deferred.size,
                            .retry_waiting = agent.retry_waiting});
  }
  stats.lanes = state_->lanes;
  stats.stale_outcomes = state_->stale_outcomes;
  stats.waiting_for_earlier_tier = state_->waiting_items;
  return stats;
}

std::array<std::uint64_t, limits::lane_count> Dispatcher::lane_depths() const {
  std::array<std::uint64_t, limits::lane_count> depths{};
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) depths[lane] = state_->lanes[lane].depth;
  return depths;
}

std::uint32_t Dispatcher::State::events_in_flight(const Agent& agent) const {
  std::uint32_t events = 0;
  for (Index at = agent.in_flight.head; at != no_index; at = agent.in_flight.next(items, at)) events += items[at].count;
  return events;
}

}  // namespace legion
