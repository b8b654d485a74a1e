// Structs from a publisher to a handler of the same node, against the same fields written and read by hand.
#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include <legion/event/msgpack_reader.hpp>
#include <legion/node.hpp>
#include <legion/runtime/clock.hpp>

#include "benches.hpp"
#include "temporary_folder.hpp"
#include "trades.hpp"

namespace legion::bench {

namespace {

constexpr std::chrono::milliseconds run_length = 1s;
constexpr std::uint64_t batch = 64;
constexpr std::uint64_t under_way_max = 4096;  // below every queue: what is measured is the work, not the waiting

/// What the handlers make of an event, so that nothing of it is left undone. One handler at a time.
struct Seen {
  double turnover = 0;
  std::uint64_t buys = 0;
  std::uint64_t symbols = 0;
  std::atomic<std::uint64_t> events{0};

  void take(std::string_view symbol, double price, double volume, std::string_view side) {
    turnover += price * volume;
    buys += side == "buy" ? 1 : 0;
    symbols += symbol.size();
    events.store(events.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
};

/// As quickly as the reader can: keys compared as they come, no errors made.
bool read_by_hand(BytesView data, TradeByHand& out) {
  MsgpackReader reader(data);
  std::size_t count = 0;
  if (!reader.take_map(count)) return false;
  for (; count > 0; --count) {
    std::string_view name;
    std::string_view text;
    if (!reader.take_string(name, 64)) return false;
    if (name == "symbol") {
      if (!reader.take_string(text, 64)) return false;
      out.symbol = text;
    } else if (name == "price") {
      if (!reader.take_float(out.price)) return false;
    } else if (name == "volume") {
      if (!reader.take_float(out.volume)) return false;
    } else if (name == "side") {
      if (!reader.take_string(text, 64)) return false;
      out.side = text;
    } else if (!reader.skip()) {
      return false;
    }
  }
  return true;
}

enum class Form : std::uint8_t { Typed, ByHand };

Outcome handle_raw(Seen& seen, const EventView& event) {
  TradeByHand fields;
  if (!read_by_hand(event.data, fields)) return Outcome::reject("not a trade");
  seen.take(fields.symbol, fields.price, fields.volume, fields.side);
  return Outcome::done();
}

/// Events/s through a node of its own.
Result<double> run(Form form, std::chrono::milliseconds length) {
  const TemporaryFolder folder;
  NodeOptions options;
  options.name = "bench";
  options.state_dir = folder.inside("bench");
  options.spools = NodeOptions::Spools::None;
  options.workers = 1;
  auto node = Node::create(options);
  if (!node) return std::unexpected(node.error());
  Seen seen;
  auto agent = node->add_agent("taker", {.mailbox = {8192, 8192, 8192, 8192}});
  const auto added = form == Form::Typed ? agent->on<MarketDataReceived>([&](const MarketDataReceived& trade) {
    seen.take(trade.symbol, trade.price, *trade.volume, *trade.side);
  })
                                         : agent->on("market.data_received",
                                                     [&](const EventView& event) { return handle_raw(seen, event); });
  if (!added) return std::unexpected(added.error());
  if (auto started = node->start(); !started) return std::unexpected(started.error());

  const std::vector<MarketDataReceived> trades = sample_trades();
  const Publisher publisher = node->publisher("feed");
  Event raw;
  raw.type = "market.data_received";
  std::uint64_t published = 0;
  const auto publish_batch = [&] {
    for (std::uint64_t i = 0; i < batch; ++i, ++published) {
      const MarketDataReceived& trade = trades[published % trades.size()];
      if (form == Form::Typed) {
        while (!publisher.publish(trade)) {
        }
      } else {
        write_by_hand(trade, raw.data);
        while (!publisher.publish(raw)) {
        }
      }
    }
  };
  const auto under_way = [&] { return published - seen.events.load(std::memory_order_acquire); };
  publish_batch();  // warms up, and waits for the node to be open
  while (under_way() > 0) {
  }
  const SteadyTime begin = read_steady_clock();
  Duration passed{0};
  const std::uint64_t before = published;
  for (; passed < length; passed = read_steady_clock() - begin) {
    if (under_way() < under_way_max) publish_batch();
  }
  while (under_way() > 0) {
  }
  passed = read_steady_clock() - begin;
  if (!node->stop()) return fail(ErrorCode::Internal, "the node did not drain");
  return static_cast<double>(published - before) * 1e9 / static_cast<double>(passed.count());
}

}  // namespace

// Alternating runs, so that whatever else the machine does touches both alike.
Result<void> typed_handler(const Effort& effort) {
  std::vector<double> typed;
  std::vector<double> by_hand;
  for (int i = 0; i < effort.runs * 3; ++i) {
    for (const Form form : {Form::Typed, Form::ByHand}) {
      const auto rate = run(form, effort.length(run_length));
      if (!rate) return std::unexpected(rate.error());
      (form == Form::Typed ? typed : by_hand).push_back(*rate);
    }
  }
  const double value = median(typed);
  const double baseline = median(by_hand);
  Line line = make_line(effort,
                        {.bench = "typed_handler",
                         .variant = "publish_to_handler",
                         .unit = "events/s",
                         .baseline = "the same node and fields, written and read by hand"},
                        value, baseline);
  line["ns_per_event"] = rounded(1e9 / value, 1);
  line["time_change_percent"] = percent_change(1 / value, 1 / baseline);
  print(line);
  return {};
}

}  // namespace legion::bench
