// An event, as a publisher hands it over (Event) and as a handler sees it (EventView).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/ids.hpp>
#include <legion/base/time.hpp>
#include <legion/event/priority.hpp>

namespace legion {

/// The coordinate of an event and its printable, seekable id: `node:incarnation:lane:type:shard:seq`.
struct EventId {
  std::string node{};
  Incarnation incarnation = 0;
  Priority lane = Priority::Normal;
  std::string type{};
  std::uint8_t shard = 0;
  std::uint64_t sequence = 0;
  friend bool operator==(const EventId&, const EventId&) = default;

  std::string to_string() const;
  /// Errors: BadData naming the part that does not parse.
  static Result<EventId> parse(std::string_view text);
};

/// An event before it is numbered. Empty strings mean "absent". `data` is one MessagePack value whose maps have string
/// keys; it is checked once, when the event is encoded.
struct Event {
  std::string type{};
  std::string source{};                ///< `node/agent`
  WallTime time{};
  Priority priority = Priority::Normal;
  std::uint32_t schema_version = 1;
  std::string correlation_id{};
  std::string causation_id{};
  std::string traceparent{};           ///< W3C trace context, passed on untouched
  std::string tracestate{};
  std::string key{};
  std::optional<WallTime> expires_at{};
  std::string foreign_id{};            ///< the id a CloudEvent from outside came with
  std::string original_id{};           ///< of a replayed event: the id it was first published with
  std::vector<std::pair<std::string, std::string>> extensions{};  ///< further CloudEvents attributes
  Bytes data{};
};

/// A numbered event inside a received or locally packed frame. All views point into the frame, which whoever holds the
/// EventPtr keeps alive.
struct EventView {
  std::string_view type{};             ///< of a replayed event: that of the original
  std::string_view origin{};
  Incarnation incarnation = 0;
  Priority lane = Priority::Normal;
  std::uint8_t shard = 0;
  std::uint8_t prefix_bytes = 0;       ///< of a replayed event: what stands before `type` where that points to
  std::uint64_t sequence = 0;

  WallTime time{};
  std::string_view source{};
  std::uint32_t schema_version = 1;
  std::string_view correlation_id{};
  std::string_view causation_id{};
  std::string_view traceparent{};
  std::string_view tracestate{};
  std::string_view key{};
  std::optional<WallTime> expires_at{};
  std::string_view foreign_id{};
  std::string_view original_id{};
  BytesView extensions{};              ///< MessagePack map of strings to strings, empty when absent
  BytesView data{};                    ///< one MessagePack value

  /// Not empty: the bytes of this event do not decode, this says why, and only the coordinate above is valid.
  std::string_view defect{};

  /// The type in the topic, which is part of the id: that of the stream.
  std::string_view wire_type() const { return {type.data() - prefix_bytes, type.size() + prefix_bytes}; }
  EventId id() const;
  std::string id_string() const;
  /// The correlation id, or the event's own id when it carries none.
  std::string correlation() const;
  /// An owned copy, for example to publish a consequence.
  Event to_event() const;
};

/// Shared because one frame is held by the mailboxes of several agents until the last of them is done with it.
using EventPtr = std::shared_ptr<const EventView>;

}  // namespace legion
