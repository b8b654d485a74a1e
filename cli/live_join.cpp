#include <legion/cli/live_join.hpp>

#include <algorithm>

namespace legion::cli {
namespace {

/// Never journalled.
constexpr std::string_view heartbeat_type = "agent.heartbeat";

/// What an event takes besides its data, about.
constexpr std::size_t event_overhead = 256;

StreamId id_of(const EventView& event) {
  return {{std::string(event.origin), event.incarnation}, event.lane, std::string(event.type), event.shard};
}

}  // namespace

std::uint64_t LiveJoin::Stream::wanted() const {
  if (first_kept) return *first_kept;
  return std::max(tail, dropped.empty() ? 0 : dropped.highest() + 1);
}

LiveJoin::Stream& LiveJoin::stream_of(const EventView& event) { return streams_[id_of(event)]; }

void LiveJoin::on_past_frame(const FrameHeader& header) {
  if (header.is_tail_marker()) return;
  const StreamId id{{std::string(header.origin), header.incarnation}, header.lane, std::string(header.type), header.shard};
  streams_[id].past.add(header.first_sequence, header.first_sequence + header.event_count - 1);
}

void LiveJoin::on_live(const EventPtr& event, const OnEvent& on_event) {
  Stream& stream = stream_of(*event);
  if (live_) {
    if (!stream.past.contains(event->sequence)) on_event(event);
    return;
  }
  if (!stream.first_kept) stream.first_kept = event->sequence;
  kept_.push_back(event);
  kept_bytes_ += event->data.size() + event_overhead;
  if (kept_.size() > bounds_.events_max || kept_bytes_ > bounds_.bytes_max) drop_kept();
}

void LiveJoin::drop_kept() {
  ++overflows_;
  for (const EventPtr& event : kept_) {
    Stream& stream = stream_of(*event);
    stream.dropped.add(event->sequence, event->sequence);
    stream.first_kept.reset();
  }
  kept_.clear();
  kept_bytes_ = 0;
}

void LiveJoin::on_origin_tail(const StreamId& stream, std::uint64_t next) {
  Stream& known = streams_[stream];
  known.tail = std::max(known.tail, next);
}

LiveJoin::Behind LiveJoin::behind(const std::vector<StreamTail>& stored) const {
  std::map<StreamId, std::uint64_t> next;
  for (const StreamTail& tail : stored) next[tail.stream] = tail.next;
  Behind behind;
  for (const auto& [id, stream] : streams_) {
    const std::uint64_t wanted = stream.wanted();
    if (wanted <= 1 || id.type == heartbeat_type) continue;
    const auto found = next.find(id);
    if (found == next.end() && stream.past.empty()) {
      ++behind.unknown_streams;
      continue;
    }
    const std::uint64_t has = found == next.end() ? stream.past.highest() + 1 : found->second;
    if (has >= wanted) continue;
    ++behind.streams;
    behind.events += wanted - has;
  }
  return behind;
}

void LiveJoin::let_go(const OnEvent& on_event) {
  live_ = true;
  for (const EventPtr& event : kept_) {
    if (!stream_of(*event).past.contains(event->sequence)) on_event(event);
  }
  kept_.clear();
  kept_bytes_ = 0;
}

std::uint64_t LiveJoin::lost() const {
  std::uint64_t lost = 0;
  for (const auto& [id, stream] : streams_) lost += stream.dropped.count_not_in(stream.past);
  return lost;
}

std::uint64_t LiveJoin::holes() const {
  std::uint64_t holes = 0;
  for (const auto& [id, stream] : streams_) holes += stream.past.missing_between();
  return holes;
}

}  // namespace legion::cli
