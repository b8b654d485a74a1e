#include <legion/core/dispatcher_stats.hpp>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

std::string_view to_string(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::Done: return "done";
    case OutcomeKind::Stop: return "stop";
    case OutcomeKind::Reject: return "reject";
    case OutcomeKind::Retry: return "retry";
    case OutcomeKind::Deferred: return "deferred";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(DeathReason reason) {
  switch (reason) {
    case DeathReason::HandlerError: return "handler_error";
    case DeathReason::Rejected: return "rejected";
    case DeathReason::GateFailed: return "gate_failed";
    case DeathReason::Undecodable: return "undecodable";
  }
  LEGION_UNREACHABLE();
}

double HandlerStats::error_rate() const {
  const std::uint64_t ended = total - in_flight;
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
                            .in_flight = static_cast<std::uint32_t>(agent.in_flight.size),
                            .depth = agent.depth,
                            .deferred = agent.deferred.size,
                            .retry_waiting = agent.retry_waiting});
  }
  stats.lanes = state_->lanes;
  stats.stale_outcomes = state_->stale_outcomes;
  stats.waiting_for_earlier_tier = state_->waiting_items;
  return stats;
}

}  // namespace legion
