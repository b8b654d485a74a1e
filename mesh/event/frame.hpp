// The frame codec. A frame is one ZeroMQ part: topic, then one MessagePack array. Format: docs/protocol.md, "Frames".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/event/event.hpp>
#include <legion/event/frame_pool.hpp>

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

/// What an event gets that does not say it itself.
struct EventDefaults {
  std::string_view source{};
  WallTime time{};
  std::optional<Duration> ttl{};  ///< it expires this long after its time
};

/// Checks the event against grammar and limits and appends it, encoded, to `out`: without an allocation where `out` has
/// the capacity. After an error `out` is as it was. The type is the caller's to check: it is in the topic, not here.
/// Errors: InvalidArgument (source, attribute), BadData (data is not one MessagePack value with string keys, or too
/// deep), TooBig (more than `bytes_max`).
Result<void> append_event(const Event& event, const EventDefaults& defaults, std::size_t bytes_max, Bytes& out);

/// As append_event(), into bytes of its own; also InvalidArgument when the type is none.
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

/// The first sequence of a frame that gets its numbers later, from number_frame().
inline constexpr std::uint64_t unnumbered = 0;

/// Packs encoded events of one stream into a frame. Reusable: begin() again after finish().
class FrameBuilder {
 public:
  /// `buffer` lends its memory; what is in it goes.
  void begin(const Origin& origin, Priority lane, std::string_view type, std::uint8_t shard, std::uint64_t first_sequence,
             Bytes buffer = {});
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

/// Compresses the events of a finished frame, numbered or not, where that makes it smaller; `events_bytes` are those of
/// its events alone. Says whether it did.
enum class Compressed : std::uint8_t { No, Yes };
Compressed compress_frame(Bytes& frame, std::size_t events_bytes);

/// Writes the numbers into a frame that was built with `unnumbered`; both have a fixed width for this.
void number_frame(Bytes& frame, Incarnation incarnation, std::uint64_t first_sequence);

Bytes make_tail_marker(const Origin& origin, Priority lane, std::string_view type, std::uint8_t shard,
                       std::uint64_t next_sequence);

class Frame;
/// Shared because the mailboxes of several agents hold one frame, each until it is done with it.
using FramePtr = std::shared_ptr<const Frame>;

/// A received frame: the header, and a view of each event. Always has exactly header.event_count events; those whose
/// bytes are wrong carry a `defect`, so that one bad event costs only itself where the structure allows it.
///
/// Thread: any. The events are decoded once, by the first thread that asks for them; others wait for it meanwhile.
/// Ownership: views point into the frame's bytes, which it owns or whose owner it holds.
class Frame {
 public:
  /// Reads the header and, of a compressed frame, expands the body; the events are not looked at. `owner` keeps `bytes`
  /// alive (for example the ZeroMQ message). With a pool nothing is allocated in the steady state.
  /// Errors: as decode_frame_header; also BadData when a compressed body does not expand within the limits.
  static Result<FramePtr> decode(BytesView bytes, std::shared_ptr<const void> owner, FramePool* pool = nullptr);
  /// For bytes that are already owned; in the end the buffer goes to the pool.
  static Result<FramePtr> decode(Bytes bytes, FramePool* pool = nullptr);

  struct Key;  // only decode() makes frames
  Frame(Key, FrameMemory* memory);
  ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  const FrameHeader& header() const { return header_; }
  /// The first call decodes all of them.
  const std::vector<EventView>& events() const {
    if (state_.load(std::memory_order_acquire) != State::Decoded) decode_events();
    return events_;
  }
  /// Bytes of all events together, not compressed.
  std::size_t events_bytes() const { return encoded_.size(); }
  /// A frame of event `index` alone, under its own number and with its bytes as they are. What stood behind a broken
  /// event or behind the last one stays with it, so that a defect stays one.
  Bytes cut(std::size_t index) const;
  /// A pointer to event `index` that keeps the whole frame alive.
  static EventPtr event_ptr(const FramePtr& frame, std::size_t index) {
    return EventPtr(frame, &frame->events()[index]);
  }

 private:
  friend struct FrameAccess;
  // As wide as what a thread can wait for without a detour.
  enum class State : int { Encoded, BeingDecoded, Decoded };

  void decode_events() const noexcept;  // without memory for the views the process ends: others wait for this

  FrameHeader header_;
  BytesView encoded_;  // the first event and what follows it, up to the end
  mutable std::vector<EventView> events_;
  mutable std::atomic<State> state_{State::Encoded};
  Bytes expanded_;  // the events of a compressed frame
  Bytes bytes_;     // the whole frame, unless somebody else owns it
  std::shared_ptr<const void> owner_;
  FrameMemory* memory_;  // lives at least as long as the memory of this frame; null without a pool
};

}  // namespace legion
