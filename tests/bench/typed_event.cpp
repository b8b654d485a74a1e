#include <functional>
#include <optional>
#include <string>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/runtime/clock.hpp>

#include "benches.hpp"
#include "figures.hpp"
#include "trades.hpp"

namespace legion::bench {

namespace {

constexpr std::chrono::milliseconds run_length = 200ms;

bool read_number(MsgpackReader& reader, double& out) {
  if (reader.take_float(out)) return true;
  const auto integer = reader.read_int();
  if (integer) out = static_cast<double>(*integer);
  return integer.has_value();
}

bool read_text(MsgpackReader& reader, std::string& out) {
  const auto text = reader.read_string();
  if (text) out = *text;
  return text.has_value();
}

bool read_by_hand(BytesView data, TradeByHand& out) {
  MsgpackReader reader(data);
  const auto count = reader.read_map();
  if (!count) return false;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto name = reader.read_string();
    if (!name) return false;
    bool read = false;
    if (*name == "symbol") {
      read = read_text(reader, out.symbol);
    } else if (*name == "price") {
      read = read_number(reader, out.price);
    } else if (*name == "volume") {
      read = read_number(reader, out.volume);
    } else if (*name == "side") {
      read = read_text(reader, out.side);
    } else {
      read = reader.skip().has_value();
    }
    if (!read) return false;
  }
  return true;
}

/// Events/s, of a step that handles all sample events.
double rate(Duration length, const std::function<std::size_t()>& step) {
  std::size_t events = 0;
  std::size_t kept = step();  // warms up; what the steps return is used, so that none of it is optimised away
  const SteadyTime begin = read_clocks().steady;
  Duration passed{0};
  for (; passed < length; passed = read_clocks().steady - begin) {
    kept += step();
    events += sample_events;
  }
  LEGION_ASSERT(kept > 0);
  return static_cast<double>(events) * 1e9 / static_cast<double>(passed.count());
}

/// The median of alternating runs, so that whatever else the machine does touches both alike.
void compare(const Effort& effort, const char* what, const char* baseline, const std::function<std::size_t()>& ours,
             const std::function<std::size_t()>& theirs) {
  std::vector<double> our_rates, their_rates;
  for (int run = 0; run < effort.runs; ++run) {
    our_rates.push_back(rate(effort.length(run_length), ours));
    their_rates.push_back(rate(effort.length(run_length), theirs));
  }
  const double value = median(our_rates);
  Line line = make_line(effort, {.bench = "typed_event", .variant = what, .unit = "events/s", .baseline = baseline},
                        value, median(their_rates));
  line["ns_per_event"] = rounded(1e9 / value, 1);
  line["time_change_percent"] = percent_change(1 / value, 1 / median(their_rates));
  print(line);
}

template <class Read>
std::size_t read_all(const std::vector<Bytes>& all, Read read) {
  std::size_t kept = 0;
  for (const Bytes& data : all) kept += read(BytesView(data));
  return kept;
}

std::size_t typed_reading(std::uint32_t version, BytesView data) {
  MarketDataReceived trade;
  LEGION_ASSERT(decode_data(version, data, trade).has_value());
  return trade.symbol.size() + trade.side->size() + (trade.price > *trade.volume ? 1 : 0);
}

std::size_t reading_by_hand(BytesView data) {
  TradeByHand trade;
  LEGION_ASSERT(read_by_hand(data, trade));
  return trade.symbol.size() + trade.side.size() + (trade.price > trade.volume ? 1 : 0);
}

enum class Data : std::uint8_t { Typed, ByHand };

/// Publisher's data into an event, into a frame, out of it and into the fields again.
std::size_t through_a_frame(const std::vector<MarketDataReceived>& trades, Data form, Event& event) {
  FrameBuilder builder;
  builder.begin({"feed-1", 1}, Priority::Normal, event.type, 0, 1);
  Bytes encoded;
  for (const MarketDataReceived& trade : trades) {
    form == Data::Typed ? encode_data(trade, event.data) : write_by_hand(trade, event.data);
    encoded.clear();
    LEGION_ASSERT(append_event(event, {}, 256 * 1024, encoded).has_value());
    builder.append(encoded);
  }
  const Bytes bytes = builder.finish();
  const auto frame = Frame::decode(BytesView(bytes), nullptr);
  LEGION_ASSERT(frame.has_value());
  std::size_t kept = 0;
  for (const EventView& view : (*frame)->events()) {
    kept += form == Data::Typed ? typed_reading(view.schema_version, view.data) : reading_by_hand(view.data);
  }
  return kept;
}

}  // namespace

Result<void> typed_event(const Effort& effort) {
  const auto trades = sample_trades();
  std::vector<Bytes> all;
  for (const MarketDataReceived& trade : trades) all.push_back(encode_data(trade));
  const auto by_hand = [&] { return read_all(all, reading_by_hand); };
  compare(
      effort, "decode", "the same four fields read by hand",
      [&] { return read_all(all, [](BytesView data) { return typed_reading(1, data); }); }, by_hand);
  compare(
      effort, "check", "the same four fields read by hand",
      [&] {
        return read_all(all, [](BytesView data) {
          return fit_of(schema_of<MarketDataReceived>(), 1, data) == SchemaFit::Fits ? 1u : 0u;
        });
      },
      by_hand);
  Bytes out;
  const auto encode_all = [&](auto encode) {
    std::size_t kept = 0;
    for (const MarketDataReceived& trade : trades) {
      encode(trade, out);
      kept += out.size();
    }
    return kept;
  };
  compare(
      effort, "encode", "the same four fields written by hand",
      [&] { return encode_all([](const auto& trade, Bytes& data) { encode_data(trade, data); }); },
      [&] { return encode_all(write_by_hand); });
  Event event = make_event(trades[0]);
  event.source = "feed-1/trades";
  event.time = {1'795'227'053'288'149'492};
  compare(
      effort, "through_a_frame", "the same four fields written and read by hand",
      [&] { return through_a_frame(trades, Data::Typed, event); },
      [&] { return through_a_frame(trades, Data::ByHand, event); });
  return {};
}

}  // namespace legion::bench
