// Writes what event_codec.cpp reads.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

#include <legion/base/text.hpp>
#include <legion/event/event_codec.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/spool_record.hpp>

namespace legion {
namespace {

struct TextAttribute {
  Attribute key;
  std::string_view name;
  std::string Event::* text;
};

// In the order of their keys. expires_at (6) and extensions (9) are not text.
constexpr std::array<TextAttribute, 7> text_attributes{{
    {Attribute::CorrelationId, "correlation_id", &Event::correlation_id},
    {Attribute::CausationId, "causation_id", &Event::causation_id},
    {Attribute::Traceparent, "traceparent", &Event::traceparent},
    {Attribute::Tracestate, "tracestate", &Event::tracestate},
    {Attribute::Key, "key", &Event::key},
    {Attribute::ForeignId, "foreign_id", &Event::foreign_id},
    {Attribute::OriginalId, "original_id", &Event::original_id},
}};

// An event together with what it does not say itself.
struct Filled {
  const Event& event;
  std::string_view source;
  WallTime time;
  std::optional<WallTime> expires_at;
};

Filled fill(const Event& event, const EventDefaults& defaults) {
  Filled filled{event, event.source, event.time, event.expires_at};
  if (filled.source.empty()) filled.source = defaults.source;
  if (filled.time.ns == 0) filled.time = defaults.time;
  if (!filled.expires_at && defaults.ttl) filled.expires_at = filled.time + *defaults.ttl;
  return filled;
}

// What is wrong with a text as an attribute value; empty when nothing is.
std::string_view text_defect(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return "is too long";
  if (!is_utf8(text)) return "is not UTF-8";
  return {};
}

std::unexpected<Error> invalid(std::string_view name, std::string_view defect) {
  return fail(ErrorCode::InvalidArgument, std::string(name) + " " + std::string(defect));
}

Result<void> check_extensions(const Event& event) {
  if (event.extensions.size() > limits::extensions_max) return invalid("extensions", "are too many");
  for (const auto& [name, value] : event.extensions) {
    if (!is_extension_name(name)) return invalid("extension '" + name.substr(0, 64) + "'", "may not have that name");
    const auto defect = text_defect(value, limits::attribute_bytes_max);
    if (!defect.empty()) return invalid("extension '" + name + "'", defect);
  }
  return {};
}

Result<void> check_type(const Event& event) {
  if (is_wire_type(event.type)) return {};
  return invalid("type '" + event.type.substr(0, limits::wire_type_bytes_max) + "'", "is not an event type");
}

// Everything but the type, which is not in the bytes.
Result<void> check_event(const Filled& filled) {
  const Event& event = filled.event;
  if (filled.source.empty()) return invalid("source", "is missing");
  if (const auto defect = text_defect(filled.source, limits::source_bytes_max); !defect.empty()) {
    return invalid("source", defect);
  }
  if (filled.time.ns < 0) return invalid("time", "lies before 1970");
  if (filled.expires_at && filled.expires_at->ns < 0) return invalid("expires_at", "lies before 1970");
  for (const TextAttribute& attribute : text_attributes) {
    const std::string& text = event.*attribute.text;
    if (text.empty()) continue;
    if (const auto defect = text_defect(text, limits::attribute_bytes_max); !defect.empty()) {
      return invalid(attribute.name, defect);
    }
  }
  return event.extensions.empty() ? Result<void>{} : check_extensions(event);
}

Result<void> check_data(BytesView data) {
  if (data.empty()) return {};
  MsgpackReader reader(data);
  BytesView value;
  if (reader.take_data(value) && reader.at_end()) return {};
  reader = MsgpackReader(data);
  const auto read = reader.read_data();
  const auto end = read ? reader.expect_end() : Result<void>{std::unexpected(read.error())};
  return fail(ErrorCode::BadData, "data: " + end.error().message);
}

// The two places an event is put to: one counts its bytes, the other has the room for them. The heads are those of
// MsgpackWriter, which appends piece by piece; here the room is known before anything is written.
struct Counter {
  std::size_t bytes = 0;
  void head(std::uint8_t) { ++bytes; }
  void number(std::uint8_t, std::uint64_t, std::size_t width) { bytes += 1 + width; }
  void body(const void*, std::size_t size) { bytes += size; }
};

struct Pen {
  std::uint8_t* at;
  void head(std::uint8_t tag) { *at++ = tag; }
  void number(std::uint8_t tag, std::uint64_t value, std::size_t width) {
    *at++ = tag;
    for (std::size_t left = width; left-- > 0;) *at++ = static_cast<std::uint8_t>(value >> (8 * left));
  }
  void body(const void* bytes, std::size_t size) {
    std::memcpy(at, bytes, size);
    at += size;
  }
};

template <class Out>
void put_uint(Out& out, std::uint64_t value) {
  if (value < 0x80) return out.head(static_cast<std::uint8_t>(value));
  if (value <= 0xff) return out.number(0xcc, value, 1);
  if (value <= 0xffff) return out.number(0xcd, value, 2);
  if (value <= 0xffff'ffff) return out.number(0xce, value, 4);
  out.number(0xcf, value, 8);
}

template <class Out>
void put_text(Out& out, std::string_view text) {
  if (text.size() < 32) {
    out.head(static_cast<std::uint8_t>(0xa0 | text.size()));
  } else if (text.size() <= 0xff) {
    out.number(0xd9, text.size(), 1);
  } else {
    out.number(0xda, text.size(), 2);  // no text of an event exceeds limits::attribute_bytes_max
  }
  out.body(text.data(), text.size());
}

template <class Out>
void put_map_head(Out& out, std::size_t count) {
  if (count < 16) return out.head(static_cast<std::uint8_t>(0x80 | count));
  out.number(0xde, count, 2);  // nor has one more than limits::extensions_max entries
}

template <class Out>
void put_attribute(Out& out, const TextAttribute& attribute, const Event& event) {
  const std::string& text = event.*attribute.text;
  if (text.empty()) return;
  put_uint(out, static_cast<std::uint64_t>(attribute.key));
  put_text(out, text);
}

template <class Out>
void put_attributes(Out& out, const Filled& filled) {
  const Event& event = filled.event;
  std::size_t count = (filled.expires_at ? 1 : 0) + (event.extensions.empty() ? 0 : 1);
  for (const TextAttribute& attribute : text_attributes) count += (event.*attribute.text).empty() ? 0 : 1;
  put_map_head(out, count);
  if (count == 0) return;
  for (const TextAttribute& attribute : text_attributes) {
    // Ascending keys: the expiry has its place between the key and the foreign id.
    if (attribute.key == Attribute::ForeignId && filled.expires_at) {
      put_uint(out, static_cast<std::uint64_t>(Attribute::ExpiresAt));
      put_uint(out, static_cast<std::uint64_t>(filled.expires_at->ns));
    }
    put_attribute(out, attribute, event);
  }
  if (event.extensions.empty()) return;
  put_uint(out, static_cast<std::uint64_t>(Attribute::Extensions));
  put_map_head(out, event.extensions.size());
  for (const auto& [name, value] : event.extensions) {
    put_text(out, name);
    put_text(out, value);
  }
}

template <class Out>
void put_event(Out& out, const Filled& filled) {
  const Event& event = filled.event;
  out.head(0x90 | event_fields);
  out.number(0xcf, static_cast<std::uint64_t>(filled.time.ns), 8);
  put_text(out, filled.source);
  put_uint(out, event.schema_version);
  put_attributes(out, filled);
  if (event.data.empty()) return out.head(0xc0);
  out.body(event.data.data(), event.data.size());
}

std::unexpected<Error> too_big(const Event& event, std::size_t bytes, std::size_t limit) {
  return fail(ErrorCode::TooBig, "the event '" + event.type.substr(0, limits::wire_type_bytes_max) + "' takes " +
                                     std::to_string(bytes) + " bytes, allowed are " + std::to_string(limit));
}

}  // namespace

Result<void> append_event(const Event& event, const EventDefaults& defaults, std::size_t bytes_max, Bytes& out) {
  const bool is_record = event.type == record_type;
  const std::size_t limit = std::min(bytes_max, is_record ? limits::record_bytes_max : limits::event_bytes_max);
  if (event.data.size() > limit) return too_big(event, event.data.size(), limit);
  const Filled filled = fill(event, defaults);
  if (auto checked = check_event(filled); !checked) return checked;
  if (auto checked = check_data(event.data); !checked) return checked;
  Counter counter;
  put_event(counter, filled);
  if (counter.bytes > limit) return too_big(event, counter.bytes, limit);

  const std::size_t start = out.size();
  out.resize(start + counter.bytes);
  Pen pen{out.data() + start};
  put_event(pen, filled);
  return {};
}

Result<EncodedEvent> encode_event(const Event& event, std::uint8_t shard, std::size_t bytes_max) {
  if (auto checked = check_type(event); !checked) return std::unexpected(std::move(checked.error()));
  Result<EncodedEvent> encoded{std::in_place};
  if (auto appended = append_event(event, {}, bytes_max, encoded->bytes); !appended) {
    return std::unexpected(std::move(appended.error()));
  }
  encoded->type = event.type;
  encoded->lane = event.priority;
  encoded->shard = shard;
  return encoded;
}

}  // namespace legion
