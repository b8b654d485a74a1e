#include <legion/event/policy.hpp>

#include <algorithm>
#include <array>

namespace legion {
namespace {

constexpr auto none = Durability::None;
constexpr auto captured = Durability::Captured;
constexpr auto confirmed = Durability::Confirmed;
constexpr auto live = Deliver::Live;
constexpr auto after_confirm = Deliver::AfterConfirm;

constexpr std::array<CatalogEntry, 48> entries{{
    {"agent.error", "AGENT_ERROR", Priority::High, confirmed, live},
    {"agent.health_check", "AGENT_HEALTH_CHECK", Priority::High, none, live},
    {"agent.heartbeat", "AGENT_HEARTBEAT", Priority::Critical, none, live},
    {"agent.ready", "AGENT_READY", Priority::High, captured, live},
    {"agent.status_update", "AGENT_STATUS_UPDATE", Priority::High, captured, live},
    {"backtest.complete", "BACKTEST_COMPLETE", Priority::Low, confirmed, live},
    {"backtest.result", "BACKTEST_RESULT", Priority::Low, confirmed, live},
    {"component.error", "COMPONENT_ERROR", Priority::High, confirmed, live},
    {"component.status_updated", "COMPONENT_STATUS_UPDATED", Priority::Low, captured, live},
    {"exchange.error", "EXCHANGE_ERROR", Priority::Critical, confirmed, live},
    {"exchange.order_cancelled", "EXCHANGE_ORDER_CANCELLED", Priority::High, confirmed, live},
    {"exchange.order_submitted", "EXCHANGE_ORDER_SUBMITTED", Priority::High, confirmed, live},
    {"exchange.status_updated", "EXCHANGE_STATUS_UPDATED", Priority::High, captured, live},
    {"features.computed", "FEATURES_COMPUTED", Priority::Normal, captured, live},
    {"health.status_changed", "HEALTH_STATUS_CHANGED", Priority::High, captured, live},
    {"indicators.updated", "INDICATORS_UPDATED", Priority::Normal, captured, live},
    {"market.data_error", "MARKET_DATA_ERROR", Priority::High, captured, live},
    {"market.data_received", "MARKET_DATA_RECEIVED", Priority::Normal, captured, live},
    {"market.data_requested", "MARKET_DATA_REQUESTED", Priority::Normal, none, live},
    {"market.depth_snapshot", "DEPTH_SNAPSHOT", Priority::Normal, captured, live},
    {"market.funding_update", "FUNDING_UPDATE", Priority::Normal, captured, live},
    {"model.promoted", "MODEL_PROMOTED", Priority::High, confirmed, live},
    {"opportunities.updated", "OPPORTUNITIES_UPDATED", Priority::Normal, captured, live},
    {"order.executed", "ORDER_EXECUTED", Priority::Critical, confirmed, live},
    {"order.failed", "ORDER_FAILED", Priority::Critical, confirmed, live},
    {"order.requested", "ORDER_REQUESTED", Priority::Critical, confirmed, after_confirm},
    {"order.status_updated", "ORDER_STATUS_UPDATED", Priority::High, confirmed, live},
    {"policy.updated", "POLICY_UPDATED", Priority::Critical, confirmed, live},
    {"position.close_requested", "POSITION_CLOSE_REQUESTED", Priority::Critical, confirmed, after_confirm},
    {"position.closed", "POSITION_CLOSED", Priority::High, confirmed, live},
    {"position.error", "POSITION_ERROR", Priority::Critical, confirmed, live},
    {"position.updated", "POSITION_UPDATED", Priority::High, confirmed, live},
    {"risk.alert", "RISK_ALERT", Priority::Critical, confirmed, live},
    {"risk.error", "RISK_ERROR", Priority::Critical, confirmed, live},
    {"risk.exposure_updated", "RISK_EXPOSURE_UPDATED", Priority::High, captured, live},
    {"risk.limit_breached", "RISK_LIMIT_BREACHED", Priority::Critical, confirmed, live},
    {"signal.candidate_trade", "CANDIDATE_TRADE", Priority::High, confirmed, live},
    {"signal.generated", "SIGNAL_GENERATED", Priority::High, confirmed, live},
    {"strategy.error", "STRATEGY_ERROR", Priority::High, confirmed, live},
    {"strategy.promoted", "STRATEGY_PROMOTED", Priority::High, confirmed, live},
    {"strategy.status_updated", "STRATEGY_STATUS_UPDATED", Priority::Normal, captured, live},
    {"system.dead_letter", "SYSTEM_DEAD_LETTER", Priority::High, confirmed, live},
    {"system.error", "SYSTEM_ERROR", Priority::Critical, confirmed, live},
    {"system.shutdown", "SYSTEM_SHUTDOWN", Priority::Critical, confirmed, live},
    {"system.startup", "SYSTEM_STARTUP", Priority::High, confirmed, live},
    {"trade.approved", "TRADE_APPROVED", Priority::Critical, confirmed, after_confirm},
    {"trade.executed", "TRADE_EXECUTED", Priority::High, confirmed, live},
    {"trade.rejected", "TRADE_REJECTED", Priority::Critical, confirmed, live},
}};

static_assert(std::ranges::is_sorted(entries, {}, &CatalogEntry::type));

}  // namespace

std::span<const CatalogEntry> catalog() { return entries; }

const CatalogEntry* find_in_catalog(std::string_view name) {
  const auto at = std::ranges::lower_bound(entries, name, {}, &CatalogEntry::type);
  if (at != entries.end() && at->type == name) return &*at;
  const auto upper = std::ranges::find(entries, name, &CatalogEntry::upper_name);
  return upper != entries.end() ? &*upper : nullptr;
}

std::string canonical_type(std::string_view name) {
  const CatalogEntry* entry = find_in_catalog(name);
  return std::string(entry != nullptr ? entry->type : name);
}

}  // namespace legion
