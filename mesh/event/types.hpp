// The events of the catalog as structs. Each is declared in one place: its fields, their meaning, its version.
#pragma once

#include <span>
#include <tuple>

#include <legion/event/types/market.hpp>
#include <legion/event/types/risk.hpp>
#include <legion/event/types/strategy.hpp>
#include <legion/event/types/system.hpp>
#include <legion/event/types/trade.hpp>

namespace legion {

/// All of them, in the order of their types. Not among them: agent.heartbeat, which nodes publish and nobody else.
using BuiltInEvents =
    std::tuple<AgentError, AgentHealthCheck, AgentReady, AgentStatusUpdate, BacktestComplete, BacktestResult,
               ComponentError, ComponentStatusUpdated, ExchangeError, ExchangeOrderCancelled, ExchangeOrderSubmitted,
               ExchangeStatusUpdated, FeaturesComputed, HealthStatusChanged, IndicatorsUpdated, MarketDataError,
               MarketDataReceived, MarketDataRequested, MarketDepthSnapshot, MarketFundingUpdate, ModelPromoted,
               OpportunitiesUpdated, OrderExecuted, OrderFailed, OrderRequested, OrderStatusUpdated, PolicyUpdated,
               PositionCloseRequested, PositionClosed, PositionError, PositionUpdated, RiskAlert, RiskError,
               RiskExposureUpdated, RiskLimitBreached, SignalCandidateTrade, SignalGenerated, StrategyError,
               StrategyPromoted, StrategyStatusUpdated, SystemDeadLetter, SystemError, SystemShutdown, SystemStartup,
               TradeApproved, TradeExecuted, TradeRejected>;

/// Their declarations, in the same order.
std::span<const EventSchema> built_in_schemas();

}  // namespace legion
