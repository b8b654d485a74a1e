#include <legion/core/egress.hpp>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/egress_markers.hpp>
#include <legion/core/stream_name.hpp>

namespace legion {

namespace {

constexpr std::uint32_t none = UINT32_MAX;
constexpr std::string_view heartbeat_type = "agent.heartbeat";

struct OutStream {
  StreamName key;
  Priority lane = Priority::Normal;
  std::uint64_t next_number = 1;    // the next to be given
  std::uint64_t next_sequence = 1;  // the next to go out
  std::uint64_t marked = 1;         // as the last marker stated it
};

struct OutLane {
  std::unordered_map<StreamName, std::uint32_t, StreamNameHash, StreamNameEqual> by_key;
  std::vector<std::uint32_t> streams;  // in the order they began
  std::uint64_t sent = 0;
};

}  // namespace

struct Egress::State {
  State(Origin o, Config c)
      : origin(std::move(o)), config(c), markers(c.heartbeat_interval, c.marker_interval_max) {}

  std::uint32_t find_or_begin(Priority lane, std::string_view type, std::uint8_t shard);
  void send_marker(std::uint32_t stream, std::vector<OutFrame>& out);
  void go_out(Now now, std::uint32_t stream, std::uint32_t count);

  Origin origin;
  Config config;
  std::vector<OutStream> streams;
  std::array<OutLane, limits::lane_count> lanes;
  MarkerSchedule markers;
  std::uint64_t refused = 0;
  std::vector<std::uint32_t> due;  // kept for its memory
};

std::uint32_t Egress::State::find_or_begin(Priority lane, std::string_view type, std::uint8_t shard) {
  OutLane& out_lane = lanes[lane_index(lane)];
  const auto found = out_lane.by_key.find(StreamNameView(type, shard));
  if (found != out_lane.by_key.end()) return found->second;
  if (streams.size() >= limits::streams_per_origin_max) return none;
  const auto index = static_cast<std::uint32_t>(streams.size());
  StreamName key{std::string(type), shard};
  out_lane.by_key.emplace(key, index);
  out_lane.streams.push_back(index);
  streams.push_back({.key = std::move(key), .lane = lane});
  // Heartbeats follow each other at the interval and a little more; their own markers would only double them.
  markers.add(type == heartbeat_type ? 2 * config.heartbeat_interval : config.heartbeat_interval);
  return index;
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

std::uint64_t Egress::number(Now now, UnnumberedFrame& frame, Goes goes) {
  State& s = *state_;
  const std::uint32_t index = s.find_or_begin(frame.lane, frame.type, frame.shard);
  if (index == none) {
    s.refused += frame.count;
    return 0;
  }
  OutStream& stream = s.streams[index];
  const std::uint64_t first = stream.next_number;
  number_frame(frame.bytes, s.origin.incarnation, first);
  stream.next_number += frame.count;
  if (goes == Goes::Now) s.go_out(now, index, frame.count);
  return first;
}

void Egress::went_out(Now now, Priority lane, std::string_view type, std::uint8_t shard, std::uint32_t count) {
  const auto found = state_->lanes[lane_index(lane)].by_key.find(StreamNameView(type, shard));
  LEGION_ASSERT(found != state_->lanes[lane_index(lane)].by_key.end());
  state_->go_out(now, found->second, count);
}

void Egress::State::go_out(Now now, std::uint32_t stream, std::uint32_t count) {
  streams[stream].next_sequence += count;
  LEGION_ASSERT(streams[stream].next_sequence <= streams[stream].next_number);
  lanes[lane_index(streams[stream].lane)].sent += count;
  markers.on_data(now, stream);
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
