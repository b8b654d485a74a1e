#include "trades.hpp"

#include <utility>

#include <legion/event/msgpack_writer.hpp>

namespace legion::bench {

std::vector<MarketDataReceived> sample_trades() {
  std::vector<MarketDataReceived> trades(sample_events);
  for (std::size_t i = 0; i < trades.size(); ++i) {
    trades[i] = {.symbol = i % 2 == 0 ? "XBT/USDT" : "ETH/USDT",
                 .price = 60'000.5 + static_cast<double>(i),
                 .volume = 0.25,
                 .side = i % 3 == 0 ? "buy" : "sell"};
  }
  return trades;
}

void write_by_hand(const MarketDataReceived& trade, Bytes& out) {
  out.clear();
  MsgpackWriter writer(std::move(out));
  writer.map(4);
  writer.str("symbol");
  writer.str(trade.symbol);
  writer.str("price");
  writer.float64(trade.price);
  writer.str("volume");
  writer.float64(*trade.volume);
  writer.str("side");
  writer.str(*trade.side);
  out = writer.take();
}

}  // namespace legion::bench
