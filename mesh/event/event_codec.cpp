#include <legion/event/event_codec.hpp>

#include <algorithm>
#include <array>
#include <limits>

#include <legion/base/assert.hpp>
#include <legion/base/text.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

constexpr std::size_t event_fields = 5;

constexpr std::array<std::string_view, 21> member_names{
    "attempt",   "causationid", "correlationid", "data",     "data_base64",  "delivery",   "expirytime",
    "foreignid", "id",          "partitionkey",  "priority", "recordedtime", "replayof",   "schemaversion",
    "sequence",  "source",      "specversion",   "time",     "traceparent",  "tracestate", "type"};
static_assert(std::ranges::is_sorted(member_names));

struct TextAttribute {
  Attribute key;
  std::string_view name;
  std::string Event::* written;
  std::string_view EventView::* read;
};

// In the order of their keys. expires_at (6) and extensions (9) are not text.
constexpr std::array<TextAttribute, 7> text_attributes{{
    {Attribute::CorrelationId, "correlation_id", &Event::correlation_id, &EventView::correlation_id},
    {Attribute::CausationId, "causation_id", &Event::causation_id, &EventView::causation_id},
    {Attribute::Traceparent, "traceparent", &Event::traceparent, &EventView::traceparent},
    {Attribute::Tracestate, "tracestate", &Event::tracestate, &EventView::tracestate},
    {Attribute::Key, "key", &Event::key, &EventView::key},
    {Attribute::ForeignId, "foreign_id", &Event::foreign_id, &EventView::foreign_id},
    {Attribute::OriginalId, "original_id", &Event::original_id, &EventView::original_id},
}};

std::unexpected<Error> bad_data(std::string message) { return fail(ErrorCode::BadData, std::move(message)); }

// What is wrong with a text as an attribute value; empty when nothing is.
std::string_view text_defect(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return "is too long";
  if (!is_utf8(text)) return "is not UTF-8";
  return {};
}

Result<void> check_event(const Event& event) {
  const auto invalid = [](std::string_view name, std::string_view defect) {
    return fail(ErrorCode::InvalidArgument, std::string(name) + " " + std::string(defect));
  };
  if (!is_wire_type(event.type)) {
    return invalid("type '" + event.type.substr(0, limits::wire_type_bytes_max) + "'", "is not an event type");
  }
  if (event.source.empty()) return invalid("source", "is missing");
  if (const auto defect = text_defect(event.source, limits::source_bytes_max); !defect.empty()) {
    return invalid("source", defect);
  }
  if (event.time.ns < 0) return invalid("time", "lies before 1970");
  if (event.expires_at && event.expires_at->ns < 0) return invalid("expires_at", "lies before 1970");
  for (const TextAttribute& attribute : text_attributes) {
    const auto defect = text_defect(event.*attribute.written, limits::attribute_bytes_max);
    if (!defect.empty()) return invalid(attribute.name, defect);
  }
  if (event.extensions.size() > limits::extensions_max) return invalid("extensions", "are too many");
  for (const auto& [name, value] : event.extensions) {
    if (!is_extension_name(name)) return invalid("extension '" + name.substr(0, 64) + "'", "may not have that name");
    const auto defect = text_defect(value, limits::attribute_bytes_max);
    if (!defect.empty()) return invalid("extension '" + name + "'", defect);
  }
  return {};
}

Result<void> check_data(BytesView data) {
  if (data.empty()) return {};
  MsgpackReader reader(data);
  const auto value = reader.read_data();
  const auto end = value ? reader.expect_end() : Result<void>{std::unexpected(value.error())};
  if (!end) return bad_data("data: " + end.error().message);
  return {};
}

void write_attributes(MsgpackWriter& writer, const Event& event) {
  std::size_t count = (event.expires_at ? 1 : 0) + (event.extensions.empty() ? 0 : 1);
  for (const TextAttribute& attribute : text_attributes) count += (event.*attribute.written).empty() ? 0 : 1;
  writer.map(count);
  for (const TextAttribute& attribute : text_attributes) {
    // Ascending keys: the expiry has its place between the key and the foreign id.
    if (attribute.key == Attribute::ForeignId && event.expires_at) {
      writer.uint(static_cast<std::uint64_t>(Attribute::ExpiresAt));
      writer.uint(static_cast<std::uint64_t>(event.expires_at->ns));
    }
    const std::string& text = event.*attribute.written;
    if (text.empty()) continue;
    writer.uint(static_cast<std::uint64_t>(attribute.key));
    writer.str(text);
  }
  if (event.extensions.empty()) return;
  writer.uint(static_cast<std::uint64_t>(Attribute::Extensions));
  writer.map(event.extensions.size());
  for (const auto& [name, value] : event.extensions) {
    writer.str(name);
    writer.str(value);
  }
}

Result<std::string_view> read_text(MsgpackReader& reader, std::size_t bytes_max) {
  auto text = reader.read_string(bytes_max);
  if (text && !is_utf8(*text)) return bad_data("text before byte " + std::to_string(reader.offset()) + " is not UTF-8");
  return text;
}

Result<WallTime> read_time(MsgpackReader& reader) {
  const auto ns = reader.read_uint();
  if (!ns) return std::unexpected(ns.error());
  if (*ns > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return bad_data("the time before byte " + std::to_string(reader.offset()) + " is out of range");
  }
  return WallTime{static_cast<std::int64_t>(*ns)};
}

Result<BytesView> read_extensions(MsgpackReader& reader) {
  MsgpackReader inside = reader;
  auto raw = reader.read_raw(1);
  if (!raw) return raw;
  const auto count = inside.read_map();
  if (!count) return std::unexpected(count.error());
  if (*count > limits::extensions_max) return bad_data("too many extensions");
  for (std::size_t i = 0; i < *count; ++i) {
    const auto name = inside.read_string();
    if (!name) return std::unexpected(name.error());
    if (!is_extension_name(*name)) return bad_data("a name that an extension may not have");
    if (const auto value = read_text(inside, limits::attribute_bytes_max); !value) {
      return std::unexpected(value.error());
    }
  }
  return raw;
}

Result<void> read_attribute(MsgpackReader& reader, std::uint64_t key, EventView& event) {
  for (const TextAttribute& attribute : text_attributes) {
    if (static_cast<std::uint64_t>(attribute.key) != key) continue;
    const auto text = read_text(reader, limits::attribute_bytes_max);
    if (!text) return std::unexpected(text.error());
    event.*attribute.read = *text;
    return {};
  }
  if (key == static_cast<std::uint64_t>(Attribute::ExpiresAt)) {
    const auto time = read_time(reader);
    if (!time) return std::unexpected(time.error());
    event.expires_at = *time;
    return {};
  }
  if (key == static_cast<std::uint64_t>(Attribute::Extensions)) {
    const auto extensions = read_extensions(reader);
    if (!extensions) return std::unexpected(extensions.error());
    event.extensions = *extensions;
    return {};
  }
  return reader.skip();
}

Result<void> read_attributes(MsgpackReader& reader, EventView& event) {
  const auto count = reader.read_map();
  if (!count) return std::unexpected(count.error());
  if (*count > limits::attributes_max) return bad_data("more attributes than allowed");
  std::array<bool, attribute_key_max + 1> seen{};
  for (std::size_t i = 0; i < *count; ++i) {
    const auto key = reader.read_uint();
    if (!key) return std::unexpected(key.error());
    if (*key < 1 || *key > attribute_key_max) return bad_data("attribute key " + std::to_string(*key));
    if (std::exchange(seen[*key], true)) return bad_data("attribute " + std::to_string(*key) + " stands twice");
    if (const auto read = read_attribute(reader, *key, event); !read) return read;
  }
  return {};
}

}  // namespace

bool is_extension_name(std::string_view name) {
  if (name.empty() || name.size() > limits::extension_name_bytes_max || !is_utf8(name)) return false;
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) return false;
  return !std::ranges::binary_search(member_names, name);
}

Result<EncodedEvent> encode_event(const Event& event, std::uint8_t shard, std::size_t bytes_max) {
  const std::size_t limit = std::min(bytes_max, limits::event_bytes_max);
  const auto too_big = [&](std::size_t bytes) {
    return fail(ErrorCode::TooBig, "the event '" + event.type.substr(0, limits::wire_type_bytes_max) + "' takes " +
                                       std::to_string(bytes) + " bytes, allowed are " + std::to_string(limit));
  };
  if (event.data.size() > limit) return too_big(event.data.size());
  if (const auto checked = check_event(event); !checked) return std::unexpected(checked.error());
  if (const auto checked = check_data(event.data); !checked) return std::unexpected(checked.error());

  Bytes bytes;
  bytes.reserve(event.data.size() + event.source.size() + 96);
  MsgpackWriter writer(std::move(bytes));
  writer.array(event_fields);
  writer.fixed_uint64(static_cast<std::uint64_t>(event.time.ns));
  writer.str(event.source);
  writer.uint(event.schema_version);
  write_attributes(writer, event);
  if (event.data.empty()) {
    writer.nil();
  } else {
    writer.raw(event.data);
  }
  if (writer.size() > limit) return too_big(writer.size());
  return EncodedEvent{.type = event.type, .lane = event.priority, .shard = shard, .bytes = writer.take()};
}

Result<void> decode_event(MsgpackReader& reader, EventView& event) {
  if (const auto array = reader.expect_array(event_fields); !array) return array;
  const auto time = read_time(reader);
  if (!time) return std::unexpected(time.error());
  event.time = *time;

  const auto source = read_text(reader, limits::source_bytes_max);
  if (!source) return std::unexpected(source.error());
  if (source->empty()) return bad_data("the source is empty");
  event.source = *source;

  const auto version = reader.read_uint();
  if (!version) return std::unexpected(version.error());
  if (*version > std::numeric_limits<std::uint32_t>::max()) return bad_data("the schema version exceeds 32 bits");
  event.schema_version = static_cast<std::uint32_t>(*version);

  if (const auto attributes = read_attributes(reader, event); !attributes) return attributes;
  const auto data = reader.read_data();
  if (!data) return std::unexpected(data.error());
  event.data = *data;
  return {};
}

}  // namespace legion
