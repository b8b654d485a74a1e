#include <functional>

#include <msgpack.hpp>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/runtime/clock.hpp>

#include "benches.hpp"
#include "figures.hpp"
#include "payload.hpp"

namespace legion::bench {

namespace {

constexpr std::size_t sample_events = 512;
constexpr std::chrono::milliseconds run_length = 200ms;
constexpr std::size_t event_bytes_max = 256 * 1024;

enum class Packing : std::uint8_t { FullFrames, OneEventAFrame };

Origin origin() { return {"feed-1", 1'795'227'053'288'149'492}; }
constexpr const char* type = "market.data_received";

std::vector<Event> sample() {
  std::vector<Event> events(sample_events);
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].type = type;
    events[i].source = "feed-1/trades";
    events[i].time = {1'795'227'053'288'149'492 + static_cast<std::int64_t>(i) * 1000};
    events[i].data = write_payload({0, i + 1, {static_cast<std::int64_t>(i)}, 60'000.5, 0.25});
  }
  return events;
}

/// As the loop of a node packs them.
std::vector<Bytes> encode_all(const std::vector<Event>& events, Packing packing) {
  std::vector<Bytes> frames;
  FrameBuilder builder;
  std::uint64_t sequence = 1;
  for (const Event& event : events) {
    const auto encoded = encode_event(event, 0, event_bytes_max);
    LEGION_ASSERT(encoded.has_value());
    const bool full =
        packing == Packing::OneEventAFrame || builder.bytes() + encoded->bytes.size() > limits::frame_bytes_target;
    if (builder.count() > 0 && full) frames.push_back(builder.finish());
    if (builder.count() == 0) builder.begin(origin(), Priority::Normal, type, 0, sequence);
    builder.append(encoded->bytes);
    ++sequence;
  }
  frames.push_back(builder.finish());
  return frames;
}

/// The bytes given are copied as a received message would own them already, so the copy is not part of it: `owner` is
/// empty and the frames stay where they are.
std::size_t decode_all(const std::vector<Bytes>& frames) {
  std::size_t events = 0;
  for (const Bytes& bytes : frames) {
    const auto frame = Frame::decode(BytesView(bytes), nullptr);
    LEGION_ASSERT(frame.has_value());
    events += (*frame)->events().size();
  }
  return events;
}

/// The array of a frame, behind its topic.
std::string_view array_of(const Bytes& frame) {
  const std::string_view text = as_text(frame);
  return text.substr(text.find('\0') + 2);
}

/// Strings and binaries stay where they are, as the views of a Frame do.
bool refer(msgpack::type::object_type, std::size_t, void*) { return true; }

std::vector<msgpack::object_handle> unpack_all(const std::vector<Bytes>& frames) {
  std::vector<msgpack::object_handle> arrays;
  arrays.reserve(frames.size());
  for (const Bytes& frame : frames) {
    const std::string_view text = array_of(frame);
    arrays.push_back(msgpack::unpack(text.data(), text.size(), refer));
  }
  return arrays;
}

std::size_t pack_all(const std::vector<msgpack::object_handle>& arrays) {
  std::size_t bytes = 0;
  for (const auto& array : arrays) {
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, array.get());
    bytes += buffer.size();
  }
  return bytes;
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
void compare(const Effort& effort, const char* what, const char* baseline, const std::vector<Bytes>& frames,
             const std::function<std::size_t()>& ours, const std::function<std::size_t()>& theirs) {
  std::vector<double> our_rates, their_rates;
  for (int run = 0; run < effort.runs; ++run) {
    our_rates.push_back(rate(effort.length(run_length), ours));
    their_rates.push_back(rate(effort.length(run_length), theirs));
  }
  Line line = make_line(effort, {.bench = "frame_codec", .variant = what, .unit = "events/s", .baseline = baseline},
                        median(our_rates), median(their_rates));
  line["data_bytes"] = payload_bytes;
  line["frame_bytes"] = frames.front().size();
  line["events_per_frame"] = rounded(static_cast<double>(sample_events) / static_cast<double>(frames.size()), 1);
  print(line);
}

void measure(const Effort& effort, Packing packing, const char* encode_case, const char* decode_case) {
  const std::vector<Event> events = sample();
  const std::vector<Bytes> frames = encode_all(events, packing);
  const auto arrays = unpack_all(frames);
  compare(
      effort, encode_case, "msgpack-cxx, pack the same array", frames,
      [&] { return encode_all(events, packing).size(); }, [&] { return pack_all(arrays); });
  compare(
      effort, decode_case, "msgpack-cxx, unpack the same array", frames, [&] { return decode_all(frames); },
      [&] { return unpack_all(frames).size(); });
}

}  // namespace

Result<void> frame_codec(const Effort& effort) {
  measure(effort, Packing::FullFrames, "encode_full_frames", "decode_full_frames");
  measure(effort, Packing::OneEventAFrame, "encode_single_events", "decode_single_events");
  return {};
}

}  // namespace legion::bench
