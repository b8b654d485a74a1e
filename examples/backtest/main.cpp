// A backtest: the agents of a strategy run over recorded events, in the time of the record and as fast as they can.
//
//     legion-cli replay --types market.data_received --json > trades.jsonl
//     example_backtest trades.jsonl
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include <legion/json.hpp>
#include <legion/testing.hpp>
#include <legion/types.hpp>

namespace {

/// Buys when the price leaves its average upwards, sells when it falls back. As it would run in production.
class Strategy {
 public:
  legion::Result<void> attach(legion::Node& node) {
    auto agent = node.add_agent("strategy");
    if (!agent) return std::unexpected(agent.error());
    const auto added = agent->on<legion::MarketDataReceived>(
        [this](const legion::MarketDataReceived& trade, legion::Context& context) { return on_trade(trade, context); });
    if (!added) return std::unexpected(added.error());
    return {};
  }

 private:
  struct Average {
    double value = 0;
    bool above = false;
  };

  legion::Outcome on_trade(const legion::MarketDataReceived& trade, legion::Context& context) {
    Average& average = averages_[trade.symbol];
    if (average.value == 0) average.value = trade.price;
    const bool above = trade.price > average.value * 1.002;
    const bool below = trade.price < average.value;
    average.value += (trade.price - average.value) / 16;
    if ((above && !average.above) || (below && average.above)) {
      average.above = above;
      legion::SignalGenerated signal;
      signal.symbol = trade.symbol;
      signal.action = above ? "buy" : "sell";
      signal.price = trade.price;
      signal.confidence = 0.7;
      if (!context.publish(signal)) return legion::Outcome::retry("cannot publish");
    }
    return legion::Outcome::done();
  }

  std::map<std::string, Average> averages_;
};

/// Fills every signal at its price and keeps the books.
struct Account {
  double cash = 0;
  double pieces = 0;
  double last_price = 0;
  int trades = 0;

  void on_signal(const legion::SignalGenerated& signal) {
    const double change = signal.action == "buy" ? 1 : -1;
    cash -= change * signal.price;
    pieces += change;
    last_price = signal.price;
    ++trades;
  }
  double result() const { return cash + pieces * last_price; }
};

/// Publishes each event of the record when its time has come. False where a line is no event.
bool feed(legion::TestMesh& mesh, const legion::Publisher& publisher, std::istream& record) {
  std::string line;
  for (int number = 1; std::getline(record, line); ++number) {
    const auto recorded = legion::from_cloudevent_json(line);
    if (!recorded || !recorded->has_time) {
      std::cerr << "line " << number << ": " << (recorded ? "has no time" : recorded.error().message) << '\n';
      return false;
    }
    mesh.advance(recorded->event.time - mesh.now().wall);
    if (const auto taken = publisher.publish(recorded->event); !taken) {
      std::cerr << "line " << number << ": " << taken.detail << '\n';
      return false;
    }
    mesh.run_until_idle();
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: example_backtest RECORD.jsonl\n";
    return 64;
  }
  std::ifstream record(argv[1]);
  if (!record) {
    std::cerr << "cannot read " << argv[1] << '\n';
    return 66;
  }
  // The first moment of the record is the first one of the clock.
  std::string first;
  std::getline(record, first);
  const auto begin = legion::from_cloudevent_json(first);
  if (!begin) {
    std::cerr << "line 1: " << begin.error().message << '\n';
    return 65;
  }
  record.seekg(0);

  legion::TestMesh mesh({.start = begin->event.time});
  auto node = mesh.add_node("desk");
  Strategy strategy;
  Account account;
  const auto filled =
      node->on<legion::SignalGenerated>([&](const legion::SignalGenerated& signal) { account.on_signal(signal); });
  if (!strategy.attach(*node) || !filled || !node->start()) return 1;
  if (!feed(mesh, node->publisher("record"), record)) return 65;

  const auto trades = mesh.published("market.data_received").size();
  std::cout << trades << " recorded trades, " << account.trades << " signals, result " << account.result() << '\n';
  // A signal is the consequence of a trade, and of the same moment.
  for (const auto& signal : mesh.published("signal.generated")) {
    if (signal->causation_id.empty()) return 1;
  }
  return account.trades > 0 && mesh.dead_letters().empty() ? 0 : 1;
}
