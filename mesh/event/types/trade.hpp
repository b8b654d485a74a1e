// Trades, orders and exchanges. docs/event-types.md
#pragma once

#include <optional>
#include <string>

#include <legion/event/typed.hpp>

namespace legion {

struct TradeApproved {
  std::string symbol{};
  std::string action{};
  double price = 0;
  double quantity = 0;
  std::optional<double> notional{};
  std::optional<std::string> strategy{};

  static constexpr auto schema =
      event_schema("trade.approved", 1, "Risk lets a trade pass.",
                   data_field("symbol", &TradeApproved::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &TradeApproved::action, "buy or sell"),
                   data_field("price", &TradeApproved::price, "quote currency for one unit"),
                   data_field("quantity", &TradeApproved::quantity, "units of the base currency"),
                   data_field("notional", &TradeApproved::notional, "price times quantity, quote currency"),
                   data_field("strategy", &TradeApproved::strategy, "name of the strategy"));
  friend bool operator==(const TradeApproved&, const TradeApproved&) = default;
};

struct TradeRejected {
  std::string symbol{};
  std::string action{};
  std::optional<double> price{};
  std::optional<double> quantity{};
  std::optional<double> notional{};
  std::optional<StringList> reasons{};
  std::optional<std::string> strategy{};

  static constexpr auto schema =
      event_schema("trade.rejected", 1, "Risk does not let a trade pass.",
                   data_field("symbol", &TradeRejected::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &TradeRejected::action, "buy or sell"),
                   data_field("price", &TradeRejected::price, "quote currency for one unit"),
                   data_field("quantity", &TradeRejected::quantity, "units of the base currency"),
                   data_field("notional", &TradeRejected::notional, "price times quantity, quote currency"),
                   data_field("reasons", &TradeRejected::reasons, "every reason there is, for a person"),
                   data_field("strategy", &TradeRejected::strategy, "name of the strategy"));
  friend bool operator==(const TradeRejected&, const TradeRejected&) = default;
};

struct TradeExecuted {
  std::string symbol{};
  std::string action{};
  double price = 0;
  double quantity = 0;
  std::optional<double> notional{};
  std::optional<double> fee{};
  std::optional<std::string> order{};
  std::optional<std::string> exchange{};

  static constexpr auto schema =
      event_schema("trade.executed", 1, "A trade took place.",
                   data_field("symbol", &TradeExecuted::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &TradeExecuted::action, "buy or sell"),
                   data_field("price", &TradeExecuted::price, "quote currency for one unit"),
                   data_field("quantity", &TradeExecuted::quantity, "units of the base currency"),
                   data_field("notional", &TradeExecuted::notional, "price times quantity, quote currency"),
                   data_field("fee", &TradeExecuted::fee, "quote currency"),
                   data_field("order", &TradeExecuted::order, "the order's own name"),
                   data_field("exchange", &TradeExecuted::exchange, "where, as in kraken"));
  friend bool operator==(const TradeExecuted&, const TradeExecuted&) = default;
};

struct OrderRequested {
  std::string symbol{};
  std::string action{};
  double quantity = 0;
  std::optional<double> price{};
  std::optional<std::string> order_type{};
  std::optional<std::string> order{};
  std::optional<std::string> exchange{};

  static constexpr auto schema =
      event_schema("order.requested", 1, "An order is to be placed.",
                   data_field("symbol", &OrderRequested::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &OrderRequested::action, "buy or sell"),
                   data_field("quantity", &OrderRequested::quantity, "units of the base currency"),
                   data_field("price", &OrderRequested::price, "limit, quote currency for one unit; absent: at market"),
                   data_field("order_type", &OrderRequested::order_type, "as in limit, market, stop"),
                   data_field("order", &OrderRequested::order, "the order's own name"),
                   data_field("exchange", &OrderRequested::exchange, "where, as in kraken"));
  friend bool operator==(const OrderRequested&, const OrderRequested&) = default;
};

struct OrderStatusUpdated {
  std::string order{};
  std::string status{};
  std::optional<std::string> symbol{};
  std::optional<double> filled{};
  std::optional<double> remaining{};
  std::optional<double> average_price{};

  static constexpr auto schema = event_schema(
      "order.status_updated", 1, "An order is in another state.",
      data_field("order", &OrderStatusUpdated::order, "the order's own name"),
      data_field("status", &OrderStatusUpdated::status, "as in open, partially_filled, filled, cancelled, expired"),
      data_field("symbol", &OrderStatusUpdated::symbol, "what is traded, as in XBT/USDT"),
      data_field("filled", &OrderStatusUpdated::filled, "units of the base currency so far"),
      data_field("remaining", &OrderStatusUpdated::remaining, "units of the base currency"),
      data_field("average_price", &OrderStatusUpdated::average_price,
                 "of what is filled, quote currency for one unit"));
  friend bool operator==(const OrderStatusUpdated&, const OrderStatusUpdated&) = default;
};

struct OrderExecuted {
  std::string order{};
  std::string symbol{};
  std::string action{};
  double price = 0;
  double quantity = 0;
  std::optional<double> notional{};
  std::optional<double> fee{};
  std::optional<std::string> exchange{};

  static constexpr auto schema = event_schema(
      "order.executed", 1, "An order was filled.", data_field("order", &OrderExecuted::order, "the order's own name"),
      data_field("symbol", &OrderExecuted::symbol, "what is traded, as in XBT/USDT"),
      data_field("action", &OrderExecuted::action, "buy or sell"),
      data_field("price", &OrderExecuted::price, "quote currency for one unit"),
      data_field("quantity", &OrderExecuted::quantity, "units of the base currency"),
      data_field("notional", &OrderExecuted::notional, "price times quantity, quote currency"),
      data_field("fee", &OrderExecuted::fee, "quote currency"),
      data_field("exchange", &OrderExecuted::exchange, "where, as in kraken"));
  friend bool operator==(const OrderExecuted&, const OrderExecuted&) = default;
};

struct OrderFailed {
  std::string error{};
  std::optional<std::string> order{};
  std::optional<std::string> symbol{};
  std::optional<std::string> action{};
  std::optional<double> quantity{};
  std::optional<std::string> code{};

  static constexpr auto schema =
      event_schema("order.failed", 1, "An order could not be placed or filled.",
                   data_field("error", &OrderFailed::error, "what went wrong, for a person"),
                   data_field("order", &OrderFailed::order, "the order's own name"),
                   data_field("symbol", &OrderFailed::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &OrderFailed::action, "buy or sell"),
                   data_field("quantity", &OrderFailed::quantity, "units of the base currency"),
                   data_field("code", &OrderFailed::code, "what went wrong, for a program"));
  friend bool operator==(const OrderFailed&, const OrderFailed&) = default;
};

struct ExchangeOrderSubmitted {
  std::string order{};
  std::string exchange{};
  std::optional<std::string> symbol{};
  std::optional<std::string> action{};
  std::optional<double> price{};
  std::optional<double> quantity{};
  std::optional<std::string> exchange_order{};

  static constexpr auto schema =
      event_schema("exchange.order_submitted", 1, "An order is on its way to an exchange.",
                   data_field("order", &ExchangeOrderSubmitted::order, "the order's own name"),
                   data_field("exchange", &ExchangeOrderSubmitted::exchange, "where, as in kraken"),
                   data_field("symbol", &ExchangeOrderSubmitted::symbol, "what is traded, as in XBT/USDT"),
                   data_field("action", &ExchangeOrderSubmitted::action, "buy or sell"),
                   data_field("price", &ExchangeOrderSubmitted::price, "quote currency for one unit"),
                   data_field("quantity", &ExchangeOrderSubmitted::quantity, "units of the base currency"),
                   data_field("exchange_order", &ExchangeOrderSubmitted::exchange_order, "the exchange's name for it"));
  friend bool operator==(const ExchangeOrderSubmitted&, const ExchangeOrderSubmitted&) = default;
};

struct ExchangeOrderCancelled {
  std::string order{};
  std::optional<std::string> exchange{};
  std::optional<std::string> symbol{};
  std::optional<std::string> reason{};

  static constexpr auto schema =
      event_schema("exchange.order_cancelled", 1, "An order was taken back.",
                   data_field("order", &ExchangeOrderCancelled::order, "the order's own name"),
                   data_field("exchange", &ExchangeOrderCancelled::exchange, "where, as in kraken"),
                   data_field("symbol", &ExchangeOrderCancelled::symbol, "what is traded, as in XBT/USDT"),
                   data_field("reason", &ExchangeOrderCancelled::reason, "why, for a person"));
  friend bool operator==(const ExchangeOrderCancelled&, const ExchangeOrderCancelled&) = default;
};

struct ExchangeStatusUpdated {
  std::string exchange{};
  std::string status{};
  std::optional<std::string> detail{};

  static constexpr auto schema =
      event_schema("exchange.status_updated", 1, "An exchange can be reached, or not.",
                   data_field("exchange", &ExchangeStatusUpdated::exchange, "where, as in kraken"),
                   data_field("status", &ExchangeStatusUpdated::status, "as in online, maintenance, unreachable"),
                   data_field("detail", &ExchangeStatusUpdated::detail, "for a person"));
  friend bool operator==(const ExchangeStatusUpdated&, const ExchangeStatusUpdated&) = default;
};

struct ExchangeError {
  std::string error{};
  std::optional<std::string> exchange{};
  std::optional<std::string> order{};
  std::optional<std::string> symbol{};
  std::optional<std::string> code{};

  static constexpr auto schema =
      event_schema("exchange.error", 1, "An exchange answered with an error.",
                   data_field("error", &ExchangeError::error, "what went wrong, for a person"),
                   data_field("exchange", &ExchangeError::exchange, "where, as in kraken"),
                   data_field("order", &ExchangeError::order, "the order's own name"),
                   data_field("symbol", &ExchangeError::symbol, "what is traded, as in XBT/USDT"),
                   data_field("code", &ExchangeError::code, "what went wrong, for a program"));
  friend bool operator==(const ExchangeError&, const ExchangeError&) = default;
};

}  // namespace legion
