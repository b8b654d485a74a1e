#include <legion/core/frame_packer.hpp>

#include <utility>

namespace legion {

namespace {

constexpr std::size_t spare_buffers_max = 64;
constexpr std::size_t spare_buffer_bytes_max = 2 * limits::frame_bytes_target;

}  // namespace

FramePacker::FramePacker(std::string node, Priority lane) : origin_{std::move(node), 0}, lane_(lane) {}

std::uint32_t FramePacker::find_or_add(std::string_view type, std::uint8_t shard) {
  const StreamNameView wanted(type, shard);
  if (last_ < streams_.size() && StreamNameEqual{}(streams_[last_].key, wanted)) return last_;
  const auto found = by_key_.find(wanted);
  if (found != by_key_.end()) return found->second;
  if (streams_.size() >= streams_max_) forget_idle_streams();
  const auto index = static_cast<std::uint32_t>(streams_.size());
  StreamName key{std::string(type), shard};
  by_key_.emplace(key, index);
  streams_.push_back({.key = std::move(key), .journalling = {}, .frames = {}});
  return index;
}

void FramePacker::forget_idle_streams() {
  std::vector<Stream> kept;
  by_key_.clear();
  // Those in which something waits have their turn each, so this visits all of them, in their order.
  for (std::size_t turn = turns_.size(); turn > 0; --turn) {
    Stream& stream = streams_[turns_.pop_front()];
    const auto index = static_cast<std::uint32_t>(kept.size());
    by_key_.emplace(stream.key, index);
    kept.push_back(std::move(stream));
    turns_.push_back(index);
  }
  streams_ = std::move(kept);
  last_ = 0;
  streams_max_ = streams_.size() + limits::streams_per_origin_max;
}

FramePacker::Waiting& FramePacker::open_frame(Stream& stream, std::size_t event_bytes) {
  if (!stream.frames.empty()) {
    Waiting& last = stream.frames.back();
    const bool has_room = last.builder.bytes() + event_bytes <= limits::frame_bytes_target;
    if (has_room && last.builder.count() < limits::msgpack_items_max) return last;
  }
  Bytes buffer;
  if (!spare_.empty()) {
    buffer = std::move(spare_.back());
    spare_.pop_back();
  }
  Waiting fresh{.serial = ++serial_, .builder = {}};
  fresh.builder.begin(origin_, lane_, stream.key.type, stream.key.shard, unnumbered, std::move(buffer));
  return stream.frames.push_back(std::move(fresh));
}

FramePacker::Place FramePacker::append(std::string_view type, std::uint8_t shard, BytesView event,
                                       const Journalling& journalling) {
  last_ = find_or_add(type, shard);
  Stream& stream = streams_[last_];
  stream.journalling = journalling;
  if (stream.frames.empty()) turns_.push_back(last_);
  Waiting& frame = open_frame(stream, event.size());
  frame.builder.append(event);
  frame.events_bytes += event.size();
  ++events_;
  return {frame.serial, frame.builder.count() - 1};
}

std::size_t FramePacker::take(std::size_t events_max, std::vector<UnnumberedFrame>& out) {
  std::size_t taken = 0;
  while (taken < events_max && !turns_.empty()) {
    const std::uint32_t turn = turns_.pop_front();
    Stream& stream = streams_[turn];
    UnnumberedFrame& frame = out.emplace_back();
    Waiting oldest = stream.frames.pop_front();
    frame.serial = oldest.serial;
    frame.lane = lane_;
    frame.count = oldest.builder.count();
    frame.bytes = oldest.builder.finish();
    frame.type = as_text(frame.bytes).substr(0, stream.key.type.size());
    frame.shard = stream.key.shard;
    frame.events_bytes = oldest.events_bytes;
    frame.journalling = stream.journalling;
    if (!stream.frames.empty()) turns_.push_back(turn);
    taken += frame.count;
  }
  events_ -= taken;
  return taken;
}

void FramePacker::recycle(Bytes buffer) {
  const bool is_worth_it = buffer.capacity() > 0 && buffer.capacity() <= spare_buffer_bytes_max;
  if (!is_worth_it || spare_.size() >= spare_buffers_max) return;
  buffer.clear();
  spare_.push_back(std::move(buffer));
}

}  // namespace legion
