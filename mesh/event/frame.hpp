// The frame codec. A frame is one ZeroMQ part: topic, then one MessagePack array. Format: docs/protocol.md, "Frames".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/event/event.hpp>

namespace legion {

inline constexpr std::uint8_t frame_version = 1;
inline constexpr std::uint8_t frame_version_min = 1;

/// Bits of the flags field.
enum FrameFlag : std::uint8_t {
  frame_flag_zstd = 0x01,  ///< the events are one zstd frame in a MessagePack bin
};
inline constexpr std::uint8_t frame_flags_known = frame_flag_zstd;

/// An event encoded on the publishing thread: everything except its number.
struct EncodedEvent {
  std::string type;
  Priority lane = Priority::Normal;
  std::uint8_t shard = 0;
  Bytes bytes;  ///< the MessagePack array [time, source, schema version, attributes, data]
};

/// Checks the event against grammar and limits and encodes it.
/// Errors: InvalidArgument (type, source, attribute), BadData (data is not one MessagePack value with string keys, or too
/// deep), TooBig (more than `bytes_max`).
Result<EncodedEvent> encode_event(const Event& event, std::uint8_t shard, std::size_t bytes_max);

/// Everything before the events. Views point into the decoded bytes.
struct FrameHeader {
  std::string_view type;
  std::uint8_t shard = 0;
  std::uint8_t version = 0;
  std::string_view origin;
  Incarnation incarnation = 0;
  Priority lane = Priority::Normal;
  std::uint64_t first_sequence = 0;
  std::uint8_t flags = 0;
  std::uint32_t event_count = 0;   ///< 0: a tail marker, first_sequence says what comes next
  std::size_t events_offset = 0;   ///< where the first event (or the zstd bin) starts
  bool is_tail_marker() const { return event_count == 0; }
};

/// Reads the header only; the events are not looked at.
/// Errors: BadData with the offset, WrongVersion naming the version.
Result<FrameHeader> decode_frame_header(BytesView frame);

/// Packs encoded events of one stream into a frame. Reusable: begin() again after finish().
class FrameBuilder {
 public:
  void begin(const Origin& origin, Priority lane, std::string_view type, std::uint8_t shard, std::uint64_t first_sequence);
  void append(BytesView encoded_event);
  std::size_t bytes() const { return buffer_.size(); }
  std::uint32_t count() const { return count_; }
  /// The finished frame; the builder is empty afterwards.
  Bytes finish();
  /// As finish(), with the events zstd-compressed when that makes the frame smaller.
  Bytes finish_compressed();

 private:
  Bytes buffer_;
  std::size_t flags_offset_ = 0;
  std::size_t count_offset_ = 0;
  std::uint32_t count_ = 0;
};

Bytes make_tail_marker(const Origin& origin, Priority lane, std::string_view type, std::uint8_t shard,
                       std::uint64_t next_sequence);

/// A decoded frame: the header and a view of each event. Always has exactly header.event_count events; those whose
/// bytes are wrong carry a `defect`, so that one bad event costs only itself where the structure allows it.
class Frame {
 public:
  /// `owner` keeps `bytes` alive (for example the ZeroMQ message).
  /// Errors: as decode_frame_header; also BadData when a compressed body does not expand within the limits.
  static Result<std::shared_ptr<const Frame>> decode(BytesView bytes, std::shared_ptr<const void> owner);
  /// Convenience for bytes that are already owned.
  static Result<std::shared_ptr<const Frame>> decode(Bytes bytes);

  const FrameHeader& header() const { return header_; }
  const std::vector<EventView>& events() const { return events_; }
  /// A pointer to event `index` that keeps the whole frame alive.
  static EventPtr event_ptr(const std::shared_ptr<const Frame>& frame, std::size_t index) {
    return EventPtr(frame, &frame->events_[index]);
  }

 private:
  friend struct FrameAccess;
  FrameHeader header_;
  std::vector<EventView> events_;
  Bytes expanded_;  // the events of a compressed frame
  std::shared_ptr<const void> owner_;
};

}  // namespace legion
