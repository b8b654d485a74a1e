// One event of a frame: [time, source, schema version, attributes, data]. Format: docs/protocol.md, "Event attributes".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <legion/base/error.hpp>
#include <legion/event/event.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {

/// Keys of the attribute map. 10..127 belong to later versions and are passed over; others are a defect.
enum class Attribute : std::uint8_t {
  CorrelationId = 1,
  CausationId = 2,
  Traceparent = 3,
  Tracestate = 4,
  Key = 5,
  ExpiresAt = 6,
  ForeignId = 7,
  OriginalId = 8,
  Extensions = 9,
};
inline constexpr std::uint64_t attribute_key_max = 127;
inline constexpr std::size_t event_fields = 5;

/// Reads one event at the reader's position into everything of `event` behind its coordinate.
/// Errors: BadData; `event` may then be partly filled.
Result<void> decode_event(MsgpackReader& reader, EventView& event);

/// Whether an extension may have this name: 1..64 bytes of UTF-8 without control characters, and none of the member
/// names that an event has of its own.
bool is_extension_name(std::string_view name);

}  // namespace legion
