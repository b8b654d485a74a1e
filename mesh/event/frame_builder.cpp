#include <algorithm>
#include <limits>
#include <utility>

#include <zstd.h>

#include <legion/base/assert.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/frame_format.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {

void FrameBuilder::begin(const Origin& origin, Priority lane, std::string_view type, std::uint8_t shard,
                         std::uint64_t first_sequence, Bytes buffer) {
  LEGION_ASSERT(buffer_.empty());
  LEGION_ASSERT(is_wire_type(type) && is_node_name(origin.node));
  buffer_ = std::move(buffer);
  buffer_.assign(type.begin(), type.end());
  buffer_.push_back(frame_format::topic_end);
  buffer_.push_back(shard);
  MsgpackWriter writer(std::move(buffer_));
  writer.array(frame_format::fields);
  writer.uint(frame_version);
  writer.str(origin.node);
  writer.fixed_uint64(origin.incarnation);
  writer.uint(lane_index(lane));
  writer.fixed_uint64(first_sequence);
  writer.fixed_uint8(0);
  flags_offset_ = writer.size() - 1;
  writer.array32(0);
  count_offset_ = writer.size() - 4;
  count_ = 0;
  buffer_ = writer.take();
}

void FrameBuilder::append(BytesView encoded_event) {
  LEGION_ASSERT(!buffer_.empty() && count_ < limits::msgpack_items_max);
  LEGION_ASSERT(buffer_.size() + encoded_event.size() <= limits::record_frame_bytes_max);
  buffer_.insert(buffer_.end(), encoded_event.begin(), encoded_event.end());
  ++count_;
}

Bytes FrameBuilder::finish() {
  LEGION_ASSERT(!buffer_.empty());
  for (int i = 0; i < 4; ++i) buffer_[count_offset_ + i] = static_cast<std::uint8_t>(count_ >> (24 - 8 * i));
  count_ = 0;
  return std::exchange(buffer_, {});
}

Bytes FrameBuilder::finish_compressed() {
  const bool is_tail_marker = count_ == 0;
  Bytes plain = finish();
  if (is_tail_marker) return plain;

  compress_frame(plain, plain.size() - (count_offset_ - 1) - frame_format::events_head_bytes);
  return plain;
}

// The events are the last field: their head, and before it the flags.
Compressed compress_frame(Bytes& frame, std::size_t events_bytes) {
  LEGION_ASSERT(frame.size() > events_bytes + frame_format::events_head_bytes);
  const std::size_t events_offset = frame.size() - events_bytes - frame_format::events_head_bytes;
  const BytesView events = BytesView(frame).subspan(events_offset);
  Bytes body(ZSTD_compressBound(events.size()));
  const std::size_t size =
      ZSTD_compress(body.data(), body.size(), events.data(), events.size(), frame_format::zstd_level);
  const bool is_smaller = !ZSTD_isError(size) && frame_format::events_head_bytes + size < events.size();
  if (!is_smaller) return Compressed::No;

  frame.resize(events_offset);
  frame[events_offset - 1] |= frame_flag_zstd;
  MsgpackWriter writer(std::move(frame));
  writer.bin32(BytesView(body).first(size));
  frame = writer.take();
  return Compressed::Yes;
}

void number_frame(Bytes& frame, Incarnation incarnation, std::uint64_t first_sequence) {
  LEGION_ASSERT(first_sequence >= 1);
  const auto topic_end = std::ranges::find(frame, frame_format::topic_end);
  // Behind the topic: the shard, the array of 7, the version; then the name of the origin, the incarnation, the lane.
  const auto name = static_cast<std::size_t>(topic_end - frame.begin()) + 4;
  const auto name_end = [&] {
    const std::uint8_t tag = frame[name];
    return tag == frame_format::tag_str8 ? name + 2 + frame[name + 1] : name + 1 + (tag & frame_format::fixstr_size);
  }();
  const auto write = [&](std::size_t tag_at, std::uint64_t value) {
    LEGION_ASSERT(frame[tag_at] == frame_format::tag_uint64);
    for (std::size_t i = 0; i < 8; ++i) frame[tag_at + 1 + i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  };
  write(name_end, incarnation);
  write(name_end + 10, first_sequence);
}

Bytes make_tail_marker(const Origin& origin, Priority lane, std::string_view type, std::uint8_t shard,
                       std::uint64_t next_sequence) {
  FrameBuilder builder;
  builder.begin(origin, lane, type, shard, next_sequence);
  return builder.finish();
}

}  // namespace legion
