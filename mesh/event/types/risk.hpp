// Risk, policy and positions. docs/event-types.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <legion/event/typed.hpp>

namespace legion {

struct PolicyUpdated {
  std::string risk_mode{};
  StringList allowed_strategies{};
  double global_min_confidence = 0;
  double max_risk_per_trade = 0;
  std::uint64_t max_positions = 0;
  std::optional<std::string> reason{};

  static constexpr auto schema =
      event_schema("policy.updated", 1, "What may be traded from now on.",
                   data_field("risk_mode", &PolicyUpdated::risk_mode, "as in normal, reduced, halted"),
                   data_field("allowed_strategies", &PolicyUpdated::allowed_strategies, "by name; empty: none"),
                   data_field("global_min_confidence", &PolicyUpdated::global_min_confidence,
                              "0 to 1; signals below it are not followed"),
                   data_field("max_risk_per_trade", &PolicyUpdated::max_risk_per_trade, "fraction of the equity"),
                   data_field("max_positions", &PolicyUpdated::max_positions, "open at the same time"),
                   data_field("reason", &PolicyUpdated::reason, "why, for a person"));
  friend bool operator==(const PolicyUpdated&, const PolicyUpdated&) = default;
};

struct RiskAlert {
  std::string rule{};
  std::optional<std::string> severity{};
  std::optional<std::string> message{};
  std::optional<std::string> symbol{};
  std::optional<double> limit{};
  std::optional<double> value{};

  static constexpr auto schema = event_schema(
      "risk.alert", 1, "A rule was broken, or nearly.", data_field("rule", &RiskAlert::rule, "name of the rule"),
      data_field("severity", &RiskAlert::severity, "as in info, warning, critical"),
      data_field("message", &RiskAlert::message, "for a person"),
      data_field("symbol", &RiskAlert::symbol, "what is traded, as in XBT/USDT"),
      data_field("limit", &RiskAlert::limit, "what the rule allows"),
      data_field("value", &RiskAlert::value, "what was found"));
  friend bool operator==(const RiskAlert&, const RiskAlert&) = default;
};

struct RiskLimitBreached {
  std::string rule{};
  double limit = 0;
  double value = 0;
  std::optional<std::string> symbol{};
  std::optional<std::string> strategy{};

  static constexpr auto schema =
      event_schema("risk.limit_breached", 1, "A limit is exceeded.",
                   data_field("rule", &RiskLimitBreached::rule, "name of the limit"),
                   data_field("limit", &RiskLimitBreached::limit, "what is allowed"),
                   data_field("value", &RiskLimitBreached::value, "what was found"),
                   data_field("symbol", &RiskLimitBreached::symbol, "what is traded, as in XBT/USDT"),
                   data_field("strategy", &RiskLimitBreached::strategy, "name of the strategy"));
  friend bool operator==(const RiskLimitBreached&, const RiskLimitBreached&) = default;
};

struct RiskExposureUpdated {
  double exposure = 0;
  std::optional<FloatMap> by_symbol{};
  std::optional<double> equity{};

  static constexpr auto schema =
      event_schema("risk.exposure_updated", 1, "How much is at stake.",
                   data_field("exposure", &RiskExposureUpdated::exposure, "in all, quote currency"),
                   data_field("by_symbol", &RiskExposureUpdated::by_symbol, "of each symbol, quote currency"),
                   data_field("equity", &RiskExposureUpdated::equity, "quote currency"));
  friend bool operator==(const RiskExposureUpdated&, const RiskExposureUpdated&) = default;
};

struct RiskError {
  std::string error{};
  std::optional<std::string> symbol{};
  std::optional<std::string> code{};

  static constexpr auto schema = event_schema(
      "risk.error", 1, "Risk cannot decide.", data_field("error", &RiskError::error, "what went wrong, for a person"),
      data_field("symbol", &RiskError::symbol, "what is traded, as in XBT/USDT"),
      data_field("code", &RiskError::code, "what went wrong, for a program"));
  friend bool operator==(const RiskError&, const RiskError&) = default;
};

struct PositionUpdated {
  std::string symbol{};
  double quantity = 0;
  std::optional<double> average_price{};
  std::optional<double> unrealised{};
  std::optional<double> realised{};
  std::optional<std::string> strategy{};

  static constexpr auto schema = event_schema(
      "position.updated", 1, "A position changed.",
      data_field("symbol", &PositionUpdated::symbol, "what is traded, as in XBT/USDT"),
      data_field("quantity", &PositionUpdated::quantity, "units held; below zero: short"),
      data_field("average_price", &PositionUpdated::average_price, "quote currency for one unit"),
      data_field("unrealised", &PositionUpdated::unrealised, "profit or loss if it were closed now, quote currency"),
      data_field("realised", &PositionUpdated::realised, "profit or loss so far, quote currency"),
      data_field("strategy", &PositionUpdated::strategy, "name of the strategy"));
  friend bool operator==(const PositionUpdated&, const PositionUpdated&) = default;
};

struct PositionCloseRequested {
  std::string symbol{};
  std::optional<double> quantity{};
  std::optional<std::string> reason{};
  std::optional<std::string> strategy{};

  static constexpr auto schema =
      event_schema("position.close_requested", 1, "A position is to be closed.",
                   data_field("symbol", &PositionCloseRequested::symbol, "what is traded, as in XBT/USDT"),
                   data_field("quantity", &PositionCloseRequested::quantity, "units; absent: all of it"),
                   data_field("reason", &PositionCloseRequested::reason, "why, for a person"),
                   data_field("strategy", &PositionCloseRequested::strategy, "name of the strategy"));
  friend bool operator==(const PositionCloseRequested&, const PositionCloseRequested&) = default;
};

struct PositionClosed {
  std::string symbol{};
  std::optional<double> quantity{};
  std::optional<double> price{};
  std::optional<double> realised{};
  std::optional<std::string> strategy{};

  static constexpr auto schema =
      event_schema("position.closed", 1, "A position is closed.",
                   data_field("symbol", &PositionClosed::symbol, "what is traded, as in XBT/USDT"),
                   data_field("quantity", &PositionClosed::quantity, "units that were held"),
                   data_field("price", &PositionClosed::price, "it was closed at, quote currency for one unit"),
                   data_field("realised", &PositionClosed::realised, "profit or loss, quote currency"),
                   data_field("strategy", &PositionClosed::strategy, "name of the strategy"));
  friend bool operator==(const PositionClosed&, const PositionClosed&) = default;
};

struct PositionError {
  std::string error{};
  std::optional<std::string> symbol{};
  std::optional<std::string> code{};

  static constexpr auto schema =
      event_schema("position.error", 1, "A position is not what it should be.",
                   data_field("error", &PositionError::error, "what went wrong, for a person"),
                   data_field("symbol", &PositionError::symbol, "what is traded, as in XBT/USDT"),
                   data_field("code", &PositionError::code, "what went wrong, for a program"));
  friend bool operator==(const PositionError&, const PositionError&) = default;
};

}  // namespace legion
