#include <functional>
#include <string_view>
#include <vector>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/where.hpp>

#include "benches.hpp"
#include "figures.hpp"
#include "meter.hpp"

namespace legion::bench {

namespace {

constexpr std::size_t sample_events = 512;
constexpr std::chrono::milliseconds run_length = 300ms;
constexpr std::size_t event_bytes_max = 256 * 1024;

/// Trades of four symbols as a node has them: views into one frame.
Result<FramePtr> sample() {
  static constexpr std::string_view symbols[] = {"BTC-USDT", "ETH-USDT", "XRP-USDT", "SOL-USDT"};
  FrameBuilder builder;
  builder.begin({"feed-1", 1'795'227'053'288'149'492}, Priority::Normal, "market.data_received", 0, 1);
  for (std::size_t i = 0; i < sample_events; ++i) {
    const auto data =
        data_from_json(R"({"symbol":")" + std::string(symbols[i % 4]) + R"(","price":)" + std::to_string(100 + i % 7) +
                       R"(.5,"volume":0.25,"side":"buy","venue":"x","legs":[{"size":)" + std::to_string(i % 3) + "}]}");
    if (!data) return std::unexpected(data.error());
    Event event;
    event.type = "market.data_received";
    event.source = "feed-1/trades";
    event.time = {1'795'227'053'288'149'492 + static_cast<std::int64_t>(i) * 1000};
    event.data = *data;
    const auto encoded = encode_event(event, 0, event_bytes_max);
    if (!encoded) return std::unexpected(encoded.error());
    builder.append(encoded->bytes);
  }
  return Frame::decode(builder.finish());
}

/// What a handler would write by hand for symbol == "ETH-USDT" and price > 103.
bool by_hand(const EventView& event) {
  MsgpackReader reader(event.data);
  std::size_t entries = 0;
  bool is_symbol = false;
  bool is_above = false;
  if (!reader.take_map(entries)) return false;
  for (std::size_t i = 0; i < entries; ++i) {
    std::string_view name;
    std::string_view text;
    double price = 0;
    if (!reader.take_string(name, limits::message_bytes_max)) return false;
    if (name == "symbol" && reader.take_string(text, limits::message_bytes_max)) {
      is_symbol = text == "ETH-USDT";
    } else if (name == "price" && reader.take_float(price)) {
      is_above = price > 103;
    } else {
      BytesView value;
      if (!reader.take_data(value)) return false;
    }
  }
  return is_symbol && is_above;
}

/// ns for one event.
double cost(Duration length, const std::vector<EventView>& events, const std::function<bool(const EventView&)>& says) {
  std::uint64_t count = 0;
  std::uint64_t held = 0;
  const SteadyTime begin = steady_now();
  Duration passed{0};
  for (; passed < length; passed = steady_now() - begin) {
    for (const EventView& event : events) held += says(event) ? 1 : 0;
    count += events.size();
  }
  LEGION_ASSERT(held > 0 && held < count);  // otherwise half of the condition was never looked at
  return static_cast<double>(passed.count()) / static_cast<double>(count);
}

struct Variant {
  std::string_view name;
  std::string_view condition;
};
constexpr Variant variants[] = {
    {"two_comparisons", "data.symbol == 'ETH-USDT' and data.price > 103"},
    {"both_comparisons_always", "data.side == 'buy' and data.price > 103"},
    {"list_of_four", "data.symbol in ('BTC-USDT', 'ETH-USDT', 'LTC-USDT', 'DOT-USDT')"},
    {"last_field_nested", "data.legs[0].size >= 1"},
    {"attribute", "type prefix 'market.' and not data.symbol == 'BTC-USDT'"},
};

}  // namespace

Result<void> where(const Effort& effort) {
  const auto frame = sample();
  if (!frame) return std::unexpected(frame.error());
  const auto& events = (*frame)->events();
  for (const Variant& variant : variants) {
    const auto condition = Where::parse(variant.condition);
    if (!condition) return std::unexpected(condition.error());
    std::vector<double> ours, by_hands;
    for (int run = 0; run < effort.runs; ++run) {
      ours.push_back(
          cost(effort.length(run_length), events, [&](const EventView& event) { return condition->matches(event); }));
      by_hands.push_back(cost(effort.length(run_length), events, by_hand));
    }
    Line line = make_line(effort,
                          {.bench = "where",
                           .variant = variant.name,
                           .unit = "ns",
                           .baseline = "symbol == and price > read by hand with MsgpackReader, both always",
                           .decimals = 1},
                          median(ours), median(by_hands));
    line["condition"] = variant.condition;
    line["data_bytes"] = events.front().data.size();
    print(line);
  }
  return {};
}

}  // namespace legion::bench
