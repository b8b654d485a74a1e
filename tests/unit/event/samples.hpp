// Bytes and events that the tests of this area share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <legion/event/frame.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::samples {

/// Hex digits with spaces anywhere.
inline Bytes from_hex(std::string_view text) {
  Bytes out;
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    digits += c;
    if (digits.size() < 2) continue;
    out.push_back(static_cast<std::uint8_t>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return out;
}

inline std::string to_hex(BytesView bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 0x0f];
  }
  return out;
}

inline const Origin node_1{"node-1", 0x0102030405060708};

/// {"price": 1.5}
inline Bytes price_data() { return from_hex("81 a5 7072696365 cb 3ff8000000000000"); }

inline Event plain_event() {
  Event event;
  event.type = "trade.approved";
  event.source = "node-1/risk";
  event.time = WallTime{0x1876b51b8590fef4};
  event.priority = Priority::Critical;
  event.data = price_data();
  return event;
}

/// With every attribute there is.
inline Event full_event() {
  Event event = plain_event();
  event.schema_version = 2;
  event.correlation_id = "c1";
  event.causation_id = "c2";
  event.traceparent = "tp";
  event.tracestate = "ts";
  event.key = "BTC";
  event.expires_at = WallTime{0x1876b51b8590ffff};
  event.foreign_id = "f1";
  event.original_id = "o1";
  event.extensions = {{"dataschema", "x"}, {"subject", "s"}};
  return event;
}

inline Bytes encoded(const Event& event) {
  auto result = encode_event(event, 0, limits::event_bytes_max);
  EXPECT_TRUE(result) << result.error().message;
  return result ? result->bytes : Bytes{};
}

inline Bytes frame_of(const std::vector<Event>& events, std::uint64_t first_sequence = 42) {
  FrameBuilder builder;
  builder.begin(node_1, events.front().priority, events.front().type, 0, first_sequence);
  for (const Event& event : events) builder.append(encoded(event));
  return builder.finish();
}

inline Bytes compressed_frame_of(const std::vector<Event>& events, std::uint64_t first_sequence = 42) {
  FrameBuilder builder;
  builder.begin(node_1, events.front().priority, events.front().type, 0, first_sequence);
  for (const Event& event : events) builder.append(encoded(event));
  return builder.finish_compressed();
}

inline bool same(const Event& a, const Event& b) {
  return a.type == b.type && a.source == b.source && a.time == b.time && a.priority == b.priority &&
         a.schema_version == b.schema_version && a.correlation_id == b.correlation_id &&
         a.causation_id == b.causation_id && a.traceparent == b.traceparent && a.tracestate == b.tracestate &&
         a.key == b.key && a.expires_at == b.expires_at && a.foreign_id == b.foreign_id &&
         a.original_id == b.original_id && a.extensions == b.extensions && a.data == b.data;
}

}  // namespace legion::samples
