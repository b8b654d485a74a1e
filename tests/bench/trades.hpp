// The trades that typed events are measured with, and what somebody writes who does without a declaration.
#pragma once

#include <string>
#include <vector>

#include <legion/event/types.hpp>

namespace legion::bench {

inline constexpr std::size_t sample_events = 512;
std::vector<MarketDataReceived> sample_trades();

/// The four fields that are read.
struct TradeByHand {
  std::string symbol;
  double price = 0;
  double volume = 0;
  std::string side;
};

/// Into the memory that `out` has.
void write_by_hand(const MarketDataReceived& trade, Bytes& out);

}  // namespace legion::bench
