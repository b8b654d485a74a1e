#include <legion/event/event_codec.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <limits>

#include <legion/base/text.hpp>

namespace legion {
namespace {

constexpr std::array<std::string_view, 21> member_names{
    "attempt",   "causationid", "correlationid", "data",     "data_base64",  "delivery",   "expirytime",
    "foreignid", "id",          "partitionkey",  "priority", "recordedtime", "replayof",   "schemaversion",
    "sequence",  "source",      "specversion",   "time",     "traceparent",  "tracestate", "type"};
static_assert(std::ranges::is_sorted(member_names));

// Where the text of an attribute goes, by key. Null: no attribute that is text.
constexpr std::array<std::string_view EventView::*, 10> text_of_key{
    nullptr,
    &EventView::correlation_id,
    &EventView::causation_id,
    &EventView::traceparent,
    &EventView::tracestate,
    &EventView::key,
    nullptr,
    &EventView::foreign_id,
    &EventView::original_id,
    nullptr,
};

std::unexpected<Error> bad_data(std::string message) { return fail(ErrorCode::BadData, std::move(message)); }

// The take_..() of the reader say only whether it went well, so what goes well carries no error about; the error comes
// from reading the same once more.
template <class T>
std::unexpected<Error> error_of(Result<T> failed) {
  return std::unexpected(std::move(failed.error()));
}

Result<void> read_text(MsgpackReader& reader, std::size_t bytes_max, std::string_view& text) {
  if (!reader.take_string(text, bytes_max)) return error_of(reader.read_string(bytes_max));
  if (!is_utf8(text)) return bad_data("text before byte " + std::to_string(reader.offset()) + " is not UTF-8");
  return {};
}

Result<void> read_time(MsgpackReader& reader, WallTime& time) {
  std::uint64_t ns = 0;
  if (!reader.take_uint(ns)) return error_of(reader.read_uint());
  if (ns > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return bad_data("the time before byte " + std::to_string(reader.offset()) + " is out of range");
  }
  time.ns = static_cast<std::int64_t>(ns);
  return {};
}

Result<void> read_extensions(MsgpackReader& reader, BytesView& extensions) {
  MsgpackReader inside = reader;
  const auto raw = reader.read_raw(1);
  if (!raw) return error_of(raw);
  const auto count = inside.read_map();
  if (!count) return error_of(count);
  if (*count > limits::extensions_max) return bad_data("too many extensions");
  for (std::size_t i = 0; i < *count; ++i) {
    const auto name = inside.read_string();
    if (!name) return error_of(name);
    if (!is_extension_name(*name)) return bad_data("a name that an extension may not have");
    std::string_view value;
    if (auto read = read_text(inside, limits::attribute_bytes_max, value); !read) return read;
  }
  extensions = *raw;
  return {};
}

Result<void> read_attribute(MsgpackReader& reader, std::uint64_t key, EventView& event) {
  if (key < text_of_key.size() && text_of_key[key] != nullptr) {
    return read_text(reader, limits::attribute_bytes_max, event.*text_of_key[key]);
  }
  if (key == static_cast<std::uint64_t>(Attribute::ExpiresAt)) return read_time(reader, event.expires_at.emplace());
  if (key == static_cast<std::uint64_t>(Attribute::Extensions)) return read_extensions(reader, event.extensions);
  return reader.skip();
}

Result<void> read_attributes(MsgpackReader& reader, EventView& event) {
  std::size_t count = 0;
  if (!reader.take_map(count)) return error_of(reader.read_map());
  if (count > limits::attributes_max) return bad_data("more attributes than allowed");
  std::bitset<attribute_key_max + 1> seen;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t key = 0;
    if (!reader.take_uint(key)) return error_of(reader.read_uint());
    if (key < 1 || key > attribute_key_max) return bad_data("attribute key " + std::to_string(key));
    if (seen[key]) return bad_data("attribute " + std::to_string(key) + " stands twice");
    seen[key] = true;
    if (auto read = read_attribute(reader, key, event); !read) return read;
  }
  return {};
}

}  // namespace

bool is_extension_name(std::string_view name) {
  if (name.empty() || name.size() > limits::extension_name_bytes_max || !is_utf8(name)) return false;
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) return false;
  return !std::ranges::binary_search(member_names, name);
}

Result<void> decode_event(MsgpackReader& reader, EventView& event) {
  if (!reader.take_array_of(event_fields)) return reader.expect_array(event_fields);
  if (auto read = read_time(reader, event.time); !read) return read;
  if (auto read = read_text(reader, limits::source_bytes_max, event.source); !read) return read;
  if (event.source.empty()) return bad_data("the source is empty");

  std::uint64_t version = 0;
  if (!reader.take_uint(version)) return error_of(reader.read_uint());
  if (version > std::numeric_limits<std::uint32_t>::max()) return bad_data("the schema version exceeds 32 bits");
  event.schema_version = static_cast<std::uint32_t>(version);

  if (auto read = read_attributes(reader, event); !read) return read;
  if (!reader.take_data(event.data)) return error_of(reader.read_data());
  return {};
}

}  // namespace legion
