#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>

#include "benches.hpp"
#include "figures.hpp"
#include "meter.hpp"
#include "payload.hpp"

namespace legion::bench {

namespace {

constexpr std::size_t sample_events = 64;
constexpr std::chrono::milliseconds run_length = 500ms;
constexpr std::size_t event_bytes_max = 256 * 1024;

/// As a node receives them.
Result<std::shared_ptr<const Frame>> sample() {
  FrameBuilder builder;
  builder.begin({"feed-1", 1'795'227'053'288'149'492}, Priority::Normal, "market.data_received", 0, 1);
  for (std::size_t i = 0; i < sample_events; ++i) {
    Event event;
    event.type = "market.data_received";
    event.source = "feed-1/trades";
    event.time = {1'795'227'053'288'149'492 + static_cast<std::int64_t>(i) * 1000};
    event.key = "BTC-USDT";
    event.data = write_payload({0, i + 1, {static_cast<std::int64_t>(i)}, 60'000.5, 0.25});
    const auto encoded = encode_event(event, 0, event_bytes_max);
    if (!encoded) return std::unexpected(encoded.error());
    builder.append(encoded->bytes);
  }
  return Frame::decode(builder.finish());
}

/// The event that comes back. Errors: BadData.
Result<Event> round_trip(const EventView& event) {
  const auto text = to_cloudevent_json(event);
  if (!text) return std::unexpected(text.error());
  auto back = from_cloudevent_json(*text);
  if (!back) return std::unexpected(back.error());
  return std::move(back->event);
}

/// Integers come back in their shortest form, so the bytes differ.
bool comes_back_whole(const EventView& event) {
  const auto back = round_trip(event);
  return back && back->type == event.type && data_to_json(back->data).value_or("") == data_to_json(event.data);
}

bool parse_and_dump(const std::string& text) {
  const auto value = nlohmann::json::parse(text, nullptr, false);
  return !value.is_discarded() && value.dump().size() == text.size();
}

/// Round trips a second, each of the sample in turn. Errors: Internal when `step` says no.
Result<double> rate(Duration length, const std::function<bool(std::size_t index)>& step) {
  std::size_t count = 0;
  const SteadyTime begin = steady_now();
  Duration passed{0};
  for (; passed < length; passed = steady_now() - begin) {
    for (std::size_t i = 0; i < sample_events; ++i) {
      if (!step(i)) return fail(ErrorCode::Internal, "JSON that was read before cannot be read");
    }
    count += sample_events;
  }
  return static_cast<double>(count) * 1e9 / static_cast<double>(passed.count());
}

}  // namespace

Result<void> json(const Effort& effort) {
  const auto frame = sample();
  if (!frame) return std::unexpected(frame.error());
  const auto& events = (*frame)->events();
  std::vector<std::string> texts;
  for (const EventView& event : events) {
    auto text = to_cloudevent_json(event);
    if (!text) return std::unexpected(text.error());
    if (!comes_back_whole(event)) return fail(ErrorCode::Internal, "an event does not survive its way through JSON");
    texts.push_back(std::move(*text));
  }
  std::vector<double> ours, theirs;
  for (int run = 0; run < effort.runs; ++run) {
    const auto our = rate(effort.length(run_length), [&](std::size_t i) { return round_trip(events[i]).has_value(); });
    if (!our) return std::unexpected(our.error());
    const auto their = rate(effort.length(run_length), [&](std::size_t i) { return parse_and_dump(texts[i]); });
    if (!their) return std::unexpected(their.error());
    ours.push_back(*our);
    theirs.push_back(*their);
  }
  Line line = make_line(effort,
                        {.bench = "json",
                         .variant = "round_trip",
                         .unit = "events/s",
                         .baseline = "nlohmann, parse and dump the same text"},
                        median(ours), median(theirs));
  line["data_bytes"] = payload_bytes;
  line["text_bytes"] = texts.front().size();
  print(line);
  return {};
}

}  // namespace legion::bench
