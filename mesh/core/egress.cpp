#include <legion/core/egress.hpp>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/egress_markers.hpp>
#include <legion/core/stream_key.hpp>

namespace legion {

namespace {

constexpr std::uint32_t none = UINT32_MAX;
constexpr std::string_view heartbeat_type = "agent.heartbeat";

struct OutStream {
  StreamKey key;
  Priority lane = Priority::Normal;
  std::uint64_t next_sequence = 1;  // the next to go out
  std::uint64_t marked = 1;         // as the last marker stated it
  // The events of the take that is being packed, chained through State::following.
  std::uint32_t take_first = none;
  std::uint32_t take_last = none;
};

struct OutLane {
  std::unordered_map<StreamKey, std::uint32_t, StreamKeyHash, StreamKeyEqual> by_key;
  std::vector<std::uint32_t> streams;  // in the order they began
  std::uint64_t sent = 0;
};

}  // namespace

struct Egress::State {
  State(Origin o, Config c)
      : origin(std::move(o)), config(c), markers(c.heartbeat_interval, c.marker_interval_max) {}

  std::uint32_t find_or_begin(Priority lane, std::string_view type, std::uint8_t shard);
  void chain(std::uint32_t stream, std::uint32_t event);
  void send_stream(std::uint32_t stream, std::span<const EncodedEvent> events, std::vector<OutFrame>& out,
                   std::vector<Numbered>* numbered);
  void send_marker(std::uint32_t stream, std::vector<OutFrame>& out);

  Origin origin;
  Config config;
  std::vector<OutStream> streams;
  std::array<OutLane, limits::lane_count> lanes;
  MarkerSchedule markers;
  FrameBuilder builder;
  std::uint64_t refused = 0;
  // Kept between takes for their memory.
  std::vector<std::uint32_t> following;
  std::vector<std::uint32_t> touched;
  std::vector<std::uint32_t> due;
};

std::uint32_t Egress::State::find_or_begin(Priority lane, std::string_view type, std::uint8_t shard) {
  OutLane& out_lane = lanes[lane_index(lane)];
  const auto found = out_lane.by_key.find(StreamKeyView(type, shard));
  if (found != out_lane.by_key.end()) return found->second;
  if (streams.size() >= limits::streams_per_origin_max) return none;
  const auto index = static_cast<std::uint32_t>(streams.size());
  StreamKey key{std::string(type), shard};
  out_lane.by_key.emplace(key, index);
  out_lane.streams.push_back(index);
  streams.push_back({.key = std::move(key), .lane = lane});
  // Heartbeats follow each other at the interval and a little more; their own markers would only double them.
  markers.add(type == heartbeat_type ? 2 * config.heartbeat_interval : config.heartbeat_interval);
  return index;
}

void Egress::State::chain(std::uint32_t stream, std::uint32_t event) {
  OutStream& s = streams[stream];
  if (s.take_first == none) {
    s.take_first = event;
    touched.push_back(stream);
  } else {
    following[s.take_last] = event;
  }
  s.take_last = event;
}

void Egress::State::send_stream(std::uint32_t stream, std::span<const EncodedEvent> events, std::vector<OutFrame>& out,
                                std::vector<Numbered>* numbered) {
  OutStream& s = streams[stream];
  const auto finish = [&] { out.push_back({s.lane, OutFrame::Kind::Data, builder.finish()}); };
  for (std::uint32_t event = s.take_first; event != none; event = following[event]) {
    const Bytes& bytes = events[event].bytes;
    if (builder.count() > 0 && builder.bytes() + bytes.size() > limits::frame_bytes_target) finish();
    if (builder.count() == 0) builder.begin(origin, s.lane, s.key.type, s.key.shard, s.next_sequence);
    builder.append(bytes);
    if (numbered != nullptr) numbered->push_back({event, s.next_sequence});
    ++s.next_sequence;
    ++lanes[lane_index(s.lane)].sent;
  }
  finish();
  s.take_first = s.take_last = none;
}

void Egress::State::send_marker(std::uint32_t stream, std::vector<OutFrame>& out) {
  OutStream& s = streams[stream];
  s.marked = s.next_sequence;
  out.push_back({s.lane, OutFrame::Kind::Marker,
                 make_tail_marker(origin, s.lane, s.key.type, s.key.shard, s.next_sequence)});
}

Egress::Egress(Origin origin, Config config) : state_(std::make_unique<State>(std::move(origin), config)) {}
Egress::~Egress() = default;
Egress::Egress(Egress&&) noexcept = default;
Egress& Egress::operator=(Egress&&) noexcept = default;

void Egress::pack(Now now, Priority lane, std::span<const EncodedEvent> events, std::vector<OutFrame>& out,
                  std::vector<Numbered>* numbered) {
  LEGION_ASSERT(events.size() < none);
  State& s = *state_;
  if (numbered != nullptr) numbered->clear();
  s.touched.clear();
  s.following.assign(events.size(), none);
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    const std::uint32_t stream = s.find_or_begin(lane, events[i].type, events[i].shard);
    if (stream != none) {
      s.chain(stream, i);
      continue;
    }
    ++s.refused;
    if (numbered != nullptr) numbered->push_back({i, 0});
  }
  for (const std::uint32_t stream : s.touched) {
    s.send_stream(stream, events, out, numbered);
    s.markers.on_data(now, stream);
  }
}

void Egress::on_tick(Now now, std::vector<OutFrame>& out) {
  state_->due.clear();
  state_->markers.take_due(now, state_->due);
  for (const std::uint32_t stream : state_->due) state_->send_marker(stream, out);
}

void Egress::flush_markers(Now now, std::vector<OutFrame>& out) {
  for (std::uint32_t stream = 0; stream < state_->streams.size(); ++stream) {
    if (state_->streams[stream].marked == state_->streams[stream].next_sequence) continue;
    state_->send_marker(stream, out);
    state_->markers.on_marker(now, stream);
  }
}

void Egress::answer_sync(const SyncTopic& topic, Priority lane, std::vector<OutFrame>& out) const {
  if (topic.origin != state_->origin.node) return;
  const std::vector<std::uint32_t>& streams = state_->lanes[lane_index(lane)].streams;
  SyncPart part{.origin = state_->origin, .lane = lane, .tails = {}};
  std::size_t done = 0;
  do {
    const std::size_t end = std::min(streams.size(), done + limits::sync_tails_per_part_max);
    part.tails.clear();
    for (; done < end; ++done) {
      const OutStream& stream = state_->streams[streams[done]];
      part.tails.push_back({stream.key.type, stream.key.shard, stream.next_sequence});
    }
    part.last = done == streams.size();
    out.push_back({lane, OutFrame::Kind::Sync, encode_sync_part(topic, part)});
    ++part.part;
  } while (!part.last);
}

std::vector<Tail> Egress::tails(Priority lane) const {
  std::vector<Tail> out;
  for (const std::uint32_t index : state_->lanes[lane_index(lane)].streams) {
    const OutStream& stream = state_->streams[index];
    out.push_back({stream.key.type, stream.key.shard, stream.next_sequence});
  }
  return out;
}

std::size_t Egress::streams() const { return state_->streams.size(); }
std::uint64_t Egress::refused() const { return state_->refused; }
std::uint64_t Egress::sent(Priority lane) const { return state_->lanes[lane_index(lane)].sent; }
const Origin& Egress::origin() const { return state_->origin; }

}  // namespace legion
