#include <legion/event/frame.hpp>

#include <algorithm>
#include <limits>

#include <legion/event/event_codec.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame_format.hpp>
#include <legion/event/frame_zstd.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {
namespace {

constexpr std::string_view defect_bytes = "the bytes of the event do not decode";
constexpr std::string_view defect_unreachable = "behind bytes of the frame that do not decode";

// The skeleton of an event is one level above its attributes and data, which is two above their entries.
constexpr std::size_t event_depth_max = limits::msgpack_depth_max + 2;

std::unexpected<Error> bad_frame(std::size_t offset, std::string_view what) {
  return fail(ErrorCode::BadData, "frame at byte " + std::to_string(offset) + ": " + std::string(what));
}

// A number whose width is fixed because the loop patches it.
Result<std::uint64_t> read_fixed(MsgpackReader& reader, BytesView frame, std::uint8_t tag) {
  if (!reader.at_end() && frame[reader.offset()] != tag)
    return bad_frame(reader.offset(), "expected a fixed-width number");
  return reader.read_uint();
}

Result<void> read_version(MsgpackReader& reader, FrameHeader& header) {
  const auto count = reader.read_array();
  if (!count) return std::unexpected(count.error());
  const auto version = reader.read_uint();
  if (!version) return std::unexpected(version.error());
  if (*version < frame_version_min || *version > frame_version) {
    return fail(ErrorCode::WrongVersion, "frame of version " + std::to_string(*version) + ", understood are " +
                                             std::to_string(frame_version_min) + " to " +
                                             std::to_string(frame_version));
  }
  // Only now: another version may have another number of fields.
  if (*count != frame_format::fields) return bad_frame(reader.offset(), "expected an array of 7");
  header.version = static_cast<std::uint8_t>(*version);
  return {};
}

Result<void> read_stream(MsgpackReader& reader, BytesView frame, FrameHeader& header) {
  const auto origin = reader.read_string(limits::node_name_bytes_max);
  if (!origin) return std::unexpected(origin.error());
  if (!is_node_name(*origin)) return bad_frame(reader.offset(), "the origin is not a node name");
  header.origin = *origin;

  const auto incarnation = read_fixed(reader, frame, frame_format::tag_uint64);
  if (!incarnation) return std::unexpected(incarnation.error());
  header.incarnation = *incarnation;

  const auto lane = reader.read_uint();
  if (!lane) return std::unexpected(lane.error());
  if (*lane >= limits::lane_count) return bad_frame(reader.offset(), "no such lane");
  header.lane = static_cast<Priority>(*lane);

  const auto first = read_fixed(reader, frame, frame_format::tag_uint64);
  if (!first) return std::unexpected(first.error());
  if (*first == 0) return bad_frame(reader.offset(), "sequences start at 1");
  header.first_sequence = *first;

  const auto flags = read_fixed(reader, frame, frame_format::tag_uint8);
  if (!flags) return std::unexpected(flags.error());
  if ((*flags & ~std::uint64_t{frame_flags_known}) != 0) {
    return fail(ErrorCode::WrongVersion, "frame with unknown flags " + std::to_string(*flags));
  }
  header.flags = static_cast<std::uint8_t>(*flags);
  return {};
}

Result<void> set_count(FrameHeader& header, std::size_t count) {
  if (count > std::numeric_limits<std::uint64_t>::max() - header.first_sequence) {
    return bad_frame(header.events_offset, "the sequence overflows");
  }
  header.event_count = static_cast<std::uint32_t>(count);
  return {};
}

// The array32 header of the events, in the frame or in its expanded body.
Result<std::size_t> read_event_count(MsgpackReader& reader, BytesView bytes) {
  if (!reader.at_end() && bytes[reader.offset()] != frame_format::tag_array32) {
    return bad_frame(reader.offset(), "expected the events as array32");
  }
  return reader.read_array();
}

struct ParsedHeader {
  FrameHeader header;
  BytesView compressed;  // the zstd frame; event_count is then not known yet
};

Result<ParsedHeader> parse_header(BytesView frame) {
  if (frame.size() > limits::message_bytes_max) {
    return fail(ErrorCode::TooBig, "frame of " + std::to_string(frame.size()) + " bytes");
  }
  ParsedHeader parsed;
  FrameHeader& header = parsed.header;
  const BytesView topic = frame.first(std::min(frame.size(), limits::wire_type_bytes_max + 1));
  const auto topic_end = std::ranges::find(topic, frame_format::topic_end);
  const auto type_size = static_cast<std::size_t>(topic_end - topic.begin());
  header.type = as_text(frame.first(type_size));
  if (topic_end == topic.end() || !is_wire_type(header.type)) return bad_frame(0, "the topic is not an event type");
  if (frame.size() < type_size + 2) return bad_frame(type_size, "the topic has no shard");
  header.shard = frame[type_size + 1];

  MsgpackReader reader(frame, type_size + 2);
  if (const auto read = read_version(reader, header); !read) return std::unexpected(read.error());
  if (const auto read = read_stream(reader, frame, header); !read) return std::unexpected(read.error());

  if ((header.flags & frame_flag_zstd) == 0) {
    const auto count = read_event_count(reader, frame);
    if (!count) return std::unexpected(count.error());
    header.events_offset = reader.offset();
    if (const auto set = set_count(header, *count); !set) return std::unexpected(set.error());
    if (*count == 0 && !reader.at_end()) return bad_frame(reader.offset(), "bytes behind the frame");
    return parsed;
  }
  header.events_offset = reader.offset();
  if (!reader.at_end() && frame[reader.offset()] != frame_format::tag_bin32) {
    return bad_frame(reader.offset(), "expected the compressed events as bin32");
  }
  const auto body = reader.read_bin();
  if (!body) return std::unexpected(body.error());
  if (!reader.at_end()) return bad_frame(reader.offset(), "bytes behind the frame");
  parsed.compressed = *body;
  return parsed;
}

Result<void> set_compressed_count(FrameHeader& header, BytesView expanded_head, std::size_t expanded_size) {
  const auto announced =
      expanded_head.size() == frame_format::events_head_bytes && expanded_head[0] == frame_format::tag_array32;
  std::size_t count = 0;
  for (std::size_t i = 1; announced && i < expanded_head.size(); ++i) count = count << 8 | expanded_head[i];
  // An event takes at least a byte, and a tail marker is never compressed.
  const bool is_possible =
      count >= 1 && count <= limits::msgpack_items_max && count <= expanded_size - frame_format::events_head_bytes;
  if (!announced || !is_possible) return bad_frame(header.events_offset, "the compressed body is not a run of events");
  return set_count(header, count);
}

}  // namespace

struct FrameAccess {
  // `bytes` are the frame's own or the expanded ones, `offset` is where the first event begins.
  static Result<void> read_events(Frame& frame, BytesView bytes, std::size_t offset) {
    const FrameHeader& header = frame.header_;
    MsgpackReader reader(bytes, offset);
    frame.events_.reserve(header.event_count);
    bool is_walkable = true;
    for (std::uint32_t i = 0; i < header.event_count; ++i) {
      EventView coordinate{};
      coordinate.type = header.type;
      coordinate.origin = header.origin;
      coordinate.incarnation = header.incarnation;
      coordinate.lane = header.lane;
      coordinate.shard = header.shard;
      coordinate.sequence = header.first_sequence + i;
      EventView& event = frame.events_.emplace_back(coordinate);
      if (!is_walkable) {
        event.defect = defect_unreachable;
        continue;
      }
      const MsgpackReader start = reader;
      if (decode_event(reader, event)) continue;
      // The next event begins behind this value, if its skeleton at least can be walked.
      event = coordinate;
      event.defect = defect_bytes;
      reader = start;
      is_walkable = reader.skip(event_depth_max).has_value();
    }
    if (is_walkable && !reader.at_end()) return bad_frame(reader.offset(), "bytes behind the events");
    return {};
  }

  static Result<std::shared_ptr<const Frame>> decode(BytesView bytes, std::shared_ptr<const void> owner) {
    auto parsed = parse_header(bytes);
    if (!parsed) return std::unexpected(parsed.error());
    auto frame = std::make_shared<Frame>();
    frame->header_ = parsed->header;
    frame->owner_ = std::move(owner);
    if (parsed->compressed.empty() && (parsed->header.flags & frame_flag_zstd) == 0) {
      const auto read = read_events(*frame, bytes, parsed->header.events_offset);
      if (!read) return std::unexpected(read.error());
      return frame;
    }
    auto expanded = expand_zstd(parsed->compressed);
    if (!expanded) return std::unexpected(expanded.error());
    frame->expanded_ = std::move(*expanded);
    const BytesView body = frame->expanded_;
    const BytesView head = body.first(std::min(body.size(), frame_format::events_head_bytes));
    const auto counted = set_compressed_count(frame->header_, head, body.size());
    if (!counted) return std::unexpected(counted.error());
    const auto read = read_events(*frame, body, frame_format::events_head_bytes);
    if (!read) return std::unexpected(read.error());
    return frame;
  }
};

Result<FrameHeader> decode_frame_header(BytesView frame) {
  auto parsed = parse_header(frame);
  if (!parsed) return std::unexpected(parsed.error());
  if ((parsed->header.flags & frame_flag_zstd) == 0) return parsed->header;
  const auto head = expand_zstd_head(parsed->compressed, frame_format::events_head_bytes);
  if (!head) return std::unexpected(head.error());
  const auto counted = set_compressed_count(parsed->header, head->first_bytes, head->expanded_size);
  if (!counted) return std::unexpected(counted.error());
  return parsed->header;
}

Result<std::shared_ptr<const Frame>> Frame::decode(BytesView bytes, std::shared_ptr<const void> owner) {
  return FrameAccess::decode(bytes, std::move(owner));
}

Result<std::shared_ptr<const Frame>> Frame::decode(Bytes bytes) {
  // Shared: the frame owns them, together with whoever else might be given the same owner.
  auto owned = std::make_shared<const Bytes>(std::move(bytes));
  const BytesView view = *owned;
  return decode(view, std::move(owned));
}

}  // namespace legion
