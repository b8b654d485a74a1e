// Market data: what it was, what it is, and what is made of it. docs/event-types.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <legion/event/typed.hpp>

namespace legion {

struct MarketDataReceived {
  std::string symbol{};
  double price = 0;
  std::optional<double> volume{};
  std::optional<std::string> side{};
  std::optional<std::string> exchange{};

  static constexpr auto schema =
      event_schema("market.data_received", 1, "A trade or a quote came in.",
                   data_field("symbol", &MarketDataReceived::symbol, "what is traded, as in XBT/USDT"),
                   data_field("price", &MarketDataReceived::price, "quote currency for one unit"),
                   data_field("volume", &MarketDataReceived::volume, "units of the base currency that changed hands"),
                   data_field("side", &MarketDataReceived::side, "buy or sell, of whoever took the price"),
                   data_field("exchange", &MarketDataReceived::exchange, "where, as in kraken"));
  friend bool operator==(const MarketDataReceived&, const MarketDataReceived&) = default;
};

struct MarketDataRequested {
  std::string symbol{};
  std::optional<std::string> exchange{};
  std::optional<std::string> interval{};
  std::optional<std::string> since{};

  static constexpr auto schema = event_schema(
      "market.data_requested", 1, "Somebody wants market data.",
      data_field("symbol", &MarketDataRequested::symbol, "what is traded, as in XBT/USDT"),
      data_field("exchange", &MarketDataRequested::exchange, "where, as in kraken"),
      data_field("interval", &MarketDataRequested::interval, "length of a candle, as in 1m; absent: every trade"),
      data_field("since", &MarketDataRequested::since, "begin, RFC 3339; absent: from now on"));
  friend bool operator==(const MarketDataRequested&, const MarketDataRequested&) = default;
};

struct MarketDataError {
  std::string error{};
  std::optional<std::string> symbol{};
  std::optional<std::string> exchange{};
  std::optional<std::string> code{};

  static constexpr auto schema =
      event_schema("market.data_error", 1, "Market data cannot be had.",
                   data_field("error", &MarketDataError::error, "what went wrong, for a person"),
                   data_field("symbol", &MarketDataError::symbol, "what is traded, as in XBT/USDT"),
                   data_field("exchange", &MarketDataError::exchange, "where, as in kraken"),
                   data_field("code", &MarketDataError::code, "what went wrong, for a program"));
  friend bool operator==(const MarketDataError&, const MarketDataError&) = default;
};

struct MarketDepthSnapshot {
  std::string symbol{};
  FloatPairs bids{};
  FloatPairs asks{};
  std::optional<std::string> exchange{};
  std::optional<std::uint64_t> sequence{};

  static constexpr auto schema =
      event_schema("market.depth_snapshot", 1, "The order book of a symbol.",
                   data_field("symbol", &MarketDepthSnapshot::symbol, "what is traded, as in XBT/USDT"),
                   data_field("bids", &MarketDepthSnapshot::bids, "price and quantity of each level, best first"),
                   data_field("asks", &MarketDepthSnapshot::asks, "price and quantity of each level, best first"),
                   data_field("exchange", &MarketDepthSnapshot::exchange, "where, as in kraken"),
                   data_field("sequence", &MarketDepthSnapshot::sequence, "the exchange's own number of this state"));
  friend bool operator==(const MarketDepthSnapshot&, const MarketDepthSnapshot&) = default;
};

struct MarketFundingUpdate {
  std::string symbol{};
  double rate = 0;
  std::optional<double> interval_s{};
  std::optional<std::string> next_at{};
  std::optional<double> mark_price{};
  std::optional<std::string> exchange{};

  static constexpr auto schema = event_schema(
      "market.funding_update", 1, "The funding rate of a perpetual contract.",
      data_field("symbol", &MarketFundingUpdate::symbol, "what is traded, as in XBT/USDT"),
      data_field("rate", &MarketFundingUpdate::rate, "fraction of the notional paid by longs for one interval"),
      data_field("interval_s", &MarketFundingUpdate::interval_s, "seconds between two payments"),
      data_field("next_at", &MarketFundingUpdate::next_at, "the next payment, RFC 3339"),
      data_field("mark_price", &MarketFundingUpdate::mark_price, "quote currency for one unit"),
      data_field("exchange", &MarketFundingUpdate::exchange, "where, as in kraken"));
  friend bool operator==(const MarketFundingUpdate&, const MarketFundingUpdate&) = default;
};

struct FeaturesComputed {
  std::string symbol{};
  FloatMap features{};
  std::optional<std::string> window{};
  std::optional<std::string> model{};

  static constexpr auto schema = event_schema(
      "features.computed", 1, "Features of a symbol were computed.",
      data_field("symbol", &FeaturesComputed::symbol, "what is traded, as in XBT/USDT"),
      data_field("features", &FeaturesComputed::features, "values by name; nan where one cannot be computed"),
      data_field("window", &FeaturesComputed::window, "the stretch they are of, as in 5m"),
      data_field("model", &FeaturesComputed::model, "the model they are meant for"));
  friend bool operator==(const FeaturesComputed&, const FeaturesComputed&) = default;
};

struct IndicatorsUpdated {
  std::string symbol{};
  FloatMap indicators{};
  std::optional<std::string> window{};

  static constexpr auto schema = event_schema(
      "indicators.updated", 1, "Indicators of a symbol changed.",
      data_field("symbol", &IndicatorsUpdated::symbol, "what is traded, as in XBT/USDT"),
      data_field("indicators", &IndicatorsUpdated::indicators, "values by name; nan where one is not defined yet"),
      data_field("window", &IndicatorsUpdated::window, "the stretch they are of, as in 5m"));
  friend bool operator==(const IndicatorsUpdated&, const IndicatorsUpdated&) = default;
};

/// One of OpportunitiesUpdated.
struct Opportunity {
  std::string symbol{};
  double score = 0;
  std::optional<std::string> action{};

  static constexpr auto schema =
      data_schema(data_field("symbol", &Opportunity::symbol, "what is traded, as in XBT/USDT"),
                  data_field("score", &Opportunity::score, "the higher the better"),
                  data_field("action", &Opportunity::action, "buy or sell"));
  friend bool operator==(const Opportunity&, const Opportunity&) = default;
};

struct OpportunitiesUpdated {
  std::vector<Opportunity> opportunities{};
  std::optional<std::string> strategy{};

  static constexpr auto schema =
      event_schema("opportunities.updated", 1, "What is worth trading, the best first.",
                   data_field("opportunities", &OpportunitiesUpdated::opportunities, "may be empty: nothing is"),
                   data_field("strategy", &OpportunitiesUpdated::strategy, "name of the strategy"));
  friend bool operator==(const OpportunitiesUpdated&, const OpportunitiesUpdated&) = default;
};

}  // namespace legion
