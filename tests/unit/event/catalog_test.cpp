// Every built-in type, in the order of the published table, so that none changes or goes by accident.
#include <legion/event/policy.hpp>

#include <algorithm>
#include <array>
#include <set>

#include <gtest/gtest.h>

namespace legion {
namespace {

struct Row {
  std::string_view type;
  std::string_view upper_name;
  std::string_view priority;
  std::string_view durability;
};

constexpr std::array<Row, 48> table{{
    {"market.data_received", "MARKET_DATA_RECEIVED", "normal", "captured"},
    {"market.data_requested", "MARKET_DATA_REQUESTED", "normal", "none"},
    {"market.data_error", "MARKET_DATA_ERROR", "high", "captured"},
    {"market.depth_snapshot", "DEPTH_SNAPSHOT", "normal", "captured"},
    {"market.funding_update", "FUNDING_UPDATE", "normal", "captured"},
    {"features.computed", "FEATURES_COMPUTED", "normal", "captured"},
    {"indicators.updated", "INDICATORS_UPDATED", "normal", "captured"},
    {"opportunities.updated", "OPPORTUNITIES_UPDATED", "normal", "captured"},
    {"signal.generated", "SIGNAL_GENERATED", "high", "confirmed"},
    {"signal.candidate_trade", "CANDIDATE_TRADE", "high", "confirmed"},
    {"strategy.status_updated", "STRATEGY_STATUS_UPDATED", "normal", "captured"},
    {"strategy.promoted", "STRATEGY_PROMOTED", "high", "confirmed"},
    {"strategy.error", "STRATEGY_ERROR", "high", "confirmed"},
    {"model.promoted", "MODEL_PROMOTED", "high", "confirmed"},
    {"policy.updated", "POLICY_UPDATED", "critical", "confirmed"},
    {"trade.approved", "TRADE_APPROVED", "critical", "confirmed"},
    {"trade.rejected", "TRADE_REJECTED", "critical", "confirmed"},
    {"trade.executed", "TRADE_EXECUTED", "high", "confirmed"},
    {"risk.alert", "RISK_ALERT", "critical", "confirmed"},
    {"risk.limit_breached", "RISK_LIMIT_BREACHED", "critical", "confirmed"},
    {"risk.exposure_updated", "RISK_EXPOSURE_UPDATED", "high", "captured"},
    {"risk.error", "RISK_ERROR", "critical", "confirmed"},
    {"order.requested", "ORDER_REQUESTED", "critical", "confirmed"},
    {"order.status_updated", "ORDER_STATUS_UPDATED", "high", "confirmed"},
    {"order.executed", "ORDER_EXECUTED", "critical", "confirmed"},
    {"order.failed", "ORDER_FAILED", "critical", "confirmed"},
    {"exchange.order_submitted", "EXCHANGE_ORDER_SUBMITTED", "high", "confirmed"},
    {"exchange.order_cancelled", "EXCHANGE_ORDER_CANCELLED", "high", "confirmed"},
    {"exchange.status_updated", "EXCHANGE_STATUS_UPDATED", "high", "captured"},
    {"exchange.error", "EXCHANGE_ERROR", "critical", "confirmed"},
    {"position.updated", "POSITION_UPDATED", "high", "confirmed"},
    {"position.close_requested", "POSITION_CLOSE_REQUESTED", "critical", "confirmed"},
    {"position.closed", "POSITION_CLOSED", "high", "confirmed"},
    {"position.error", "POSITION_ERROR", "critical", "confirmed"},
    {"backtest.complete", "BACKTEST_COMPLETE", "low", "confirmed"},
    {"backtest.result", "BACKTEST_RESULT", "low", "confirmed"},
    {"health.status_changed", "HEALTH_STATUS_CHANGED", "high", "captured"},
    {"component.status_updated", "COMPONENT_STATUS_UPDATED", "low", "captured"},
    {"component.error", "COMPONENT_ERROR", "high", "confirmed"},
    {"agent.heartbeat", "AGENT_HEARTBEAT", "critical", "none"},
    {"agent.health_check", "AGENT_HEALTH_CHECK", "high", "none"},
    {"agent.status_update", "AGENT_STATUS_UPDATE", "high", "captured"},
    {"agent.ready", "AGENT_READY", "high", "captured"},
    {"agent.error", "AGENT_ERROR", "high", "confirmed"},
    {"system.startup", "SYSTEM_STARTUP", "high", "confirmed"},
    {"system.shutdown", "SYSTEM_SHUTDOWN", "critical", "confirmed"},
    {"system.error", "SYSTEM_ERROR", "critical", "confirmed"},
    {"system.dead_letter", "SYSTEM_DEAD_LETTER", "high", "confirmed"},
}};

TEST(Catalog, HoldsEveryRowOfTheTable) {
  ASSERT_EQ(catalog().size(), table.size());
  for (const Row& row : table) {
    const CatalogEntry* entry = find_in_catalog(row.type);
    ASSERT_NE(entry, nullptr) << row.type;
    EXPECT_EQ(entry->type, row.type);
    EXPECT_EQ(entry->upper_name, row.upper_name);
    EXPECT_EQ(to_string(entry->priority), row.priority) << row.type;
    EXPECT_EQ(to_string(entry->durability), row.durability) << row.type;
    EXPECT_EQ(find_in_catalog(row.upper_name), entry);
    EXPECT_EQ(canonical_type(row.upper_name), row.type);
    EXPECT_EQ(canonical_type(row.type), row.type);
    EXPECT_TRUE(is_event_type(row.type));
  }
}

TEST(Catalog, ThreeTypesAreDeliveredAfterTheConfirm) {
  std::set<std::string_view> after_confirm;
  for (const CatalogEntry& entry : catalog()) {
    if (entry.deliver == Deliver::AfterConfirm) after_confirm.insert(entry.type);
  }
  EXPECT_EQ(after_confirm,
            (std::set<std::string_view>{"order.requested", "position.close_requested", "trade.approved"}));
}

TEST(Catalog, IsSortedAndLeavesOtherNamesAlone) {
  EXPECT_TRUE(std::ranges::is_sorted(catalog(), {}, &CatalogEntry::type));
  EXPECT_EQ(find_in_catalog("weather.report"), nullptr);
  EXPECT_EQ(find_in_catalog(""), nullptr);
  EXPECT_EQ(find_in_catalog("Trade_Approved"), nullptr);
  EXPECT_EQ(canonical_type("WEATHER_REPORT"), "WEATHER_REPORT");
}

}  // namespace
}  // namespace legion
