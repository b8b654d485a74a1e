#include <legion/event/frame.hpp>

#include <algorithm>
#include <limits>

#include <legion/event/event_codec.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame_format.hpp>
#include <legion/event/frame_memory.hpp>
#include <legion/event/frame_zstd.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {
namespace {

constexpr std::string_view defect_bytes = "the bytes of the event do not decode";
constexpr std::string_view defect_unreachable = "behind bytes of the frame that do not decode";
constexpr std::string_view defect_trailing = "bytes follow the last event of the frame";

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

struct ParsedHeader {
  FrameHeader header;
  BytesView compressed;  // the zstd frame; event_count is then not known yet
};

Result<void> read_topic(BytesView frame, FrameHeader& header) {
  const BytesView topic = frame.first(std::min(frame.size(), limits::wire_type_bytes_max + 1));
  const std::size_t type_size = as_text(topic).find(static_cast<char>(frame_format::topic_end));
  if (type_size == std::string_view::npos) return bad_frame(0, "the topic is not an event type");
  header.type = as_text(frame.first(type_size));
  if (!is_wire_type(header.type)) return bad_frame(0, "the topic is not an event type");
  if (frame.size() < type_size + 2) return bad_frame(type_size, "the topic has no shard");
  header.shard = frame[type_size + 1];
  return {};
}

// What stands for the events: the count of a plain frame, or the bin of a compressed one.
Result<void> read_body_head(MsgpackReader& reader, BytesView frame, ParsedHeader& parsed) {
  FrameHeader& header = parsed.header;
  if ((header.flags & frame_flag_zstd) == 0) {
    if (!reader.at_end() && frame[reader.offset()] != frame_format::tag_array32) {
      return bad_frame(reader.offset(), "expected the events as array32");
    }
    const auto count = reader.read_array();
    if (!count) return std::unexpected(count.error());
    header.events_offset = reader.offset();
    if (auto set = set_count(header, *count); !set) return set;
    if (*count == 0 && !reader.at_end()) return bad_frame(reader.offset(), "bytes behind the frame");
    return {};
  }
  header.events_offset = reader.offset();
  if (!reader.at_end() && frame[reader.offset()] != frame_format::tag_bin32) {
    return bad_frame(reader.offset(), "expected the compressed events as bin32");
  }
  const auto body = reader.read_bin();
  if (!body) return std::unexpected(body.error());
  if (!reader.at_end()) return bad_frame(reader.offset(), "bytes behind the frame");
  parsed.compressed = *body;
  return {};
}

Result<void> parse_header(BytesView frame, ParsedHeader& parsed) {
  if (frame.size() > limits::record_frame_bytes_max) {
    return fail(ErrorCode::TooBig, "frame of " + std::to_string(frame.size()) + " bytes");
  }
  if (auto read = read_topic(frame, parsed.header); !read) return read;
  MsgpackReader reader(frame, parsed.header.type.size() + 2);
  if (auto read = read_version(reader, parsed.header); !read) return read;
  if (auto read = read_stream(reader, frame, parsed.header); !read) return read;
  return read_body_head(reader, frame, parsed);
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

struct Frame::Key {};

struct FrameAccess {
  static std::shared_ptr<Frame> make(FramePool* pool) {
    if (pool == nullptr) return std::make_shared<Frame>(Frame::Key{}, nullptr);
    FrameMemory* memory = pool->memory_.get();
    return std::allocate_shared<Frame>(PoolAllocator<Frame, FrameMemory>(*memory), Frame::Key{}, memory);
  }

  static Result<void> expand(Frame& frame, BytesView compressed) {
    auto expanded = expand_zstd(compressed);
    if (!expanded) return std::unexpected(std::move(expanded.error()));
    frame.expanded_ = std::move(*expanded);
    const BytesView body = frame.expanded_;
    const BytesView head = body.first(std::min(body.size(), frame_format::events_head_bytes));
    const auto counted = set_compressed_count(frame.header_, head, body.size());
    if (counted) frame.encoded_ = body.subspan(frame_format::events_head_bytes);
    return counted;
  }

  static Result<std::shared_ptr<Frame>> decode(BytesView bytes, FramePool* pool) {
    ParsedHeader parsed;
    if (auto read = parse_header(bytes, parsed); !read) return std::unexpected(std::move(read.error()));
    auto frame = make(pool);
    frame->header_ = parsed.header;
    if ((parsed.header.flags & frame_flag_zstd) == 0) {
      frame->encoded_ = bytes.subspan(parsed.header.events_offset);
    } else if (auto read = expand(*frame, parsed.compressed); !read) {
      return std::unexpected(std::move(read.error()));
    }
    return frame;
  }

  static void own(Frame& frame, Bytes bytes) { frame.bytes_ = std::move(bytes); }
  static void own(Frame& frame, std::shared_ptr<const void> owner) { frame.owner_ = std::move(owner); }

  static EventView coordinate(const FrameHeader& header) {
    EventView event;
    event.type = original_type(header.type);
    event.prefix_bytes = static_cast<std::uint8_t>(header.type.size() - event.type.size());
    event.origin = header.origin;
    event.incarnation = header.incarnation;
    event.lane = header.lane;
    event.shard = header.shard;
    return event;
  }

  // Fills `events`, which is empty, with one view for each event the header announces.
  static void read_events(const Frame& frame, std::vector<EventView>& events) {
    const FrameHeader& header = frame.header_;
    const EventView blank = coordinate(header);
    MsgpackReader reader(frame.encoded_);
    bool is_walkable = true;
    events.reserve(header.event_count);
    for (std::uint32_t i = 0; i < header.event_count; ++i) {
      EventView& event = events.emplace_back(blank);
      event.sequence = header.first_sequence + i;
      if (!is_walkable) {
        event.defect = defect_unreachable;
        continue;
      }
      const MsgpackReader start = reader;
      if (decode_event(reader, event)) continue;
      event = blank;
      event.sequence = header.first_sequence + i;
      event.defect = defect_bytes;
      // The next event begins behind this value, if its skeleton at least can be walked.
      reader = start;
      is_walkable = reader.skip(frame_format::event_depth_max).has_value();
    }
    if (!is_walkable || reader.at_end()) return;
    // Nobody can say which event the bytes belong to, so none is believed.
    for (EventView& event : events) {
      const std::uint64_t sequence = event.sequence;
      event = blank;
      event.sequence = sequence;
      event.defect = defect_trailing;
    }
  }
};

Frame::Frame(Key, FrameMemory* memory) : memory_(memory) {}

Frame::~Frame() {
  if (memory_ == nullptr) return;
  memory_->give_back(std::move(events_));
  memory_->give_back(std::move(bytes_));
}

void Frame::decode_events() const noexcept {
  State state = State::Encoded;
  while (!state_.compare_exchange_strong(state, State::BeingDecoded, std::memory_order_acquire)) {
    if (state == State::Decoded) return;
    state_.wait(state, std::memory_order_acquire);
    state = State::Encoded;
  }
  std::vector<EventView> events = memory_ != nullptr ? memory_->take_events() : std::vector<EventView>{};
  FrameAccess::read_events(*this, events);
  events_ = std::move(events);
  state_.store(State::Decoded, std::memory_order_release);
  state_.notify_all();
}

Result<FrameHeader> decode_frame_header(BytesView frame) {
  ParsedHeader parsed;
  if (auto read = parse_header(frame, parsed); !read) return std::unexpected(std::move(read.error()));
  if ((parsed.header.flags & frame_flag_zstd) == 0) return parsed.header;
  const auto head = expand_zstd_head(parsed.compressed, frame_format::events_head_bytes);
  if (!head) return std::unexpected(head.error());
  const auto counted = set_compressed_count(parsed.header, head->first_bytes, head->expanded_size);
  if (!counted) return std::unexpected(counted.error());
  return parsed.header;
}

Result<FramePtr> Frame::decode(BytesView bytes, std::shared_ptr<const void> owner, FramePool* pool) {
  auto frame = FrameAccess::decode(bytes, pool);
  if (!frame) return std::unexpected(std::move(frame.error()));
  FrameAccess::own(**frame, std::move(owner));
  return std::move(*frame);
}

Result<FramePtr> Frame::decode(Bytes bytes, FramePool* pool) {
  auto frame = FrameAccess::decode(bytes, pool);
  if (!frame) {
    if (pool != nullptr) pool->give_back(std::move(bytes));
    return std::unexpected(std::move(frame.error()));
  }
  FrameAccess::own(**frame, std::move(bytes));  // the views stay good: a vector that is moved keeps its memory
  return std::move(*frame);
}

}  // namespace legion
