// Signals, strategies and models. docs/event-types.md
#pragma once

#include <array>
#include <optional>
#include <string>

#include <legion/event/typed.hpp>

namespace legion {

/// Version 1 wrote `action` as it liked and did not say whose signal it is.
Result<void> signal_generated_from_1(DataMap& data);

struct SignalGenerated {
  std::string symbol{};
  std::string action{};
  double price = 0;
  double confidence = 0;
  std::string strategy{};
  std::optional<double> quantity{};
  std::optional<std::string> reason{};

  static constexpr auto schema =
      event_schema("signal.generated", 2, "A strategy says what it would do.",
                   data_field("symbol", &SignalGenerated::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &SignalGenerated::action, "buy, sell or hold, in lower case"),
                   data_field("price", &SignalGenerated::price, "quote currency for one unit"),
                   data_field("confidence", &SignalGenerated::confidence, "0 to 1"),
                   data_field("strategy", &SignalGenerated::strategy, "whose signal it is; empty: not told"),
                   data_field("quantity", &SignalGenerated::quantity, "units of the base currency"),
                   data_field("reason", &SignalGenerated::reason, "why, for a person"));
  static constexpr std::array upcasts{Upcast{1, &signal_generated_from_1}};
  friend bool operator==(const SignalGenerated&, const SignalGenerated&) = default;
};

struct SignalCandidateTrade {
  std::string symbol{};
  std::string action{};
  double price = 0;
  double quantity = 0;
  double confidence = 0;
  std::optional<std::string> strategy{};

  static constexpr auto schema =
      event_schema("signal.candidate_trade", 1, "A trade that risk has to decide about.",
                   data_field("symbol", &SignalCandidateTrade::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &SignalCandidateTrade::action, "buy or sell"),
                   data_field("price", &SignalCandidateTrade::price, "quote currency for one unit"),
                   data_field("quantity", &SignalCandidateTrade::quantity, "units of the base currency"),
                   data_field("confidence", &SignalCandidateTrade::confidence, "0 to 1"),
                   data_field("strategy", &SignalCandidateTrade::strategy, "name of the strategy"));
  friend bool operator==(const SignalCandidateTrade&, const SignalCandidateTrade&) = default;
};

struct StrategyStatusUpdated {
  std::string strategy{};
  std::string status{};
  std::optional<std::string> detail{};

  static constexpr auto schema =
      event_schema("strategy.status_updated", 1, "A strategy was started, paused, stopped.",
                   data_field("strategy", &StrategyStatusUpdated::strategy, "name of the strategy"),
                   data_field("status", &StrategyStatusUpdated::status, "as in running, paused, stopped"),
                   data_field("detail", &StrategyStatusUpdated::detail, "for a person"));
  friend bool operator==(const StrategyStatusUpdated&, const StrategyStatusUpdated&) = default;
};

struct StrategyPromoted {
  std::string strategy{};
  std::optional<std::string> version{};
  std::optional<std::string> from_stage{};
  std::optional<std::string> to_stage{};
  std::optional<double> score{};
  std::optional<std::string> promoted_by{};

  static constexpr auto schema =
      event_schema("strategy.promoted", 1, "A strategy moved to another stage.",
                   data_field("strategy", &StrategyPromoted::strategy, "name of the strategy"),
                   data_field("version", &StrategyPromoted::version, "of the strategy"),
                   data_field("from_stage", &StrategyPromoted::from_stage, "as in paper"),
                   data_field("to_stage", &StrategyPromoted::to_stage, "as in live"),
                   data_field("score", &StrategyPromoted::score, "what it was promoted for"),
                   data_field("promoted_by", &StrategyPromoted::promoted_by, "who or what decided"));
  friend bool operator==(const StrategyPromoted&, const StrategyPromoted&) = default;
};

struct StrategyError {
  std::string strategy{};
  std::string error{};
  std::optional<std::string> symbol{};
  std::optional<std::string> code{};

  static constexpr auto schema =
      event_schema("strategy.error", 1, "A strategy failed.",
                   data_field("strategy", &StrategyError::strategy, "name of the strategy"),
                   data_field("error", &StrategyError::error, "what went wrong, for a person"),
                   data_field("symbol", &StrategyError::symbol, "what is traded, as in XBT/USDT"),
                   data_field("code", &StrategyError::code, "what went wrong, for a program"));
  friend bool operator==(const StrategyError&, const StrategyError&) = default;
};

struct ModelPromoted {
  std::string model{};
  std::string version{};
  std::optional<std::string> previous_version{};
  std::optional<FloatMap> metrics{};
  std::optional<std::string> promoted_by{};

  static constexpr auto schema =
      event_schema("model.promoted", 1, "A model is in use from now on.",
                   data_field("model", &ModelPromoted::model, "name of the model"),
                   data_field("version", &ModelPromoted::version, "the one in use now"),
                   data_field("previous_version", &ModelPromoted::previous_version, "the one until now"),
                   data_field("metrics", &ModelPromoted::metrics, "what it was promoted for, by name"),
                   data_field("promoted_by", &ModelPromoted::promoted_by, "who or what decided"));
  friend bool operator==(const ModelPromoted&, const ModelPromoted&) = default;
};

struct BacktestComplete {
  std::string backtest{};
  std::optional<std::string> strategy{};
  std::optional<double> duration_s{};
  std::optional<std::string> error{};

  static constexpr auto schema =
      event_schema("backtest.complete", 1, "A backtest is over.",
                   data_field("backtest", &BacktestComplete::backtest, "name of the run"),
                   data_field("strategy", &BacktestComplete::strategy, "name of the strategy"),
                   data_field("duration_s", &BacktestComplete::duration_s, "seconds it took"),
                   data_field("error", &BacktestComplete::error, "why it ended early; absent: it did not"));
  friend bool operator==(const BacktestComplete&, const BacktestComplete&) = default;
};

struct BacktestResult {
  std::string backtest{};
  std::string strategy{};
  FloatMap metrics{};
  std::optional<std::string> from{};
  std::optional<std::string> until{};

  static constexpr auto schema =
      event_schema("backtest.result", 1, "What a backtest found.",
                   data_field("backtest", &BacktestResult::backtest, "name of the run"),
                   data_field("strategy", &BacktestResult::strategy, "name of the strategy"),
                   data_field("metrics", &BacktestResult::metrics, "figures by name, as in sharpe, max_drawdown"),
                   data_field("from", &BacktestResult::from, "begin of the data, RFC 3339"),
                   data_field("until", &BacktestResult::until, "end of the data, RFC 3339"));
  friend bool operator==(const BacktestResult&, const BacktestResult&) = default;
};

}  // namespace legion
