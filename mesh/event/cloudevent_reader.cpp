#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <legion/base/base64.hpp>
#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/event/event_codec.hpp>
#include <legion/event/json.hpp>
#include <legion/event/json_codec.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/event/policy.hpp>

namespace legion {
namespace {

// JSON writes times as RFC 3339; MessagePack may as well write ns.
enum class Form : std::uint8_t { Json, Msgpack };

// In our own output and of no meaning on the way in.
constexpr std::array<std::string_view, 4> ignored_members{"attempt", "delivery", "recordedtime", "sequence"};

std::unexpected<Error> bad_member(std::string_view name, std::string_view expected) {
  return fail(ErrorCode::BadData,
              "member '" + std::string(name.substr(0, 64)) + "': expected " + std::string(expected));
}

bool is_json_content(std::string_view content_type) {
  const std::string_view media = content_type.substr(0, content_type.find_first_of("; "));
  return media.ends_with("/json") || media.ends_with("+json");
}

class CloudEventReader {
 public:
  CloudEventReader(BytesView bytes, Form form) : reader_(bytes), form_(form) {}

  Result<IncomingEvent> read() {
    const auto count = reader_.read_map();
    if (!count) return fail(ErrorCode::BadData, "a CloudEvent is an object with a member 'type'");
    for (std::size_t i = 0; i < *count; ++i) {
      const auto name = reader_.read_string();
      if (!name || !is_utf8(*name)) return fail(ErrorCode::BadData, "a member name is not text");
      if (const auto member = read_member(*name); !member) return std::unexpected(member.error());
    }
    if (const auto end = reader_.expect_end(); !end) return std::unexpected(end.error());
    return finish();
  }

 private:
  Result<IncomingEvent> finish() {
    Event& event = incoming_.event;
    if (event.type.empty()) return bad_member("type", "an event type; it is required");
    if (has_data_ && has_data_base64_) return bad_member("data_base64", "nothing beside 'data'");
    event.foreign_id = incoming_.id.empty() ? incoming_.foreign_id : incoming_.id;
    if (!incoming_.has_priority) {
      const CatalogEntry* entry = find_in_catalog(event.type);
      if (entry != nullptr) event.priority = entry->priority;
    }
    return std::move(incoming_);
  }

  Result<void> read_member(std::string_view name) {
    Event& event = incoming_.event;
    const auto kind = reader_.peek();
    if (!kind) return std::unexpected(kind.error());
    if (name == "data") return read_data();
    if (std::ranges::find(ignored_members, name) != ignored_members.end()) return reader_.skip();
    if (*kind == MsgpackKind::Nil) return reader_.read_nil();  // CloudEvents: null is absent

    if (name == "type") return read_type();
    if (name == "specversion") return read_specversion();
    if (name == "source") {
      incoming_.has_source = true;
      return read_text(name, event.source, limits::source_bytes_max);
    }
    if (name == "time")
      return read_time_member(name, [&](WallTime time) {
        event.time = time;
        incoming_.has_time = true;
      });
    if (name == "expirytime") return read_time_member(name, [&](WallTime time) { event.expires_at = time; });
    if (name == "priority") return read_priority();
    if (name == "schemaversion") return read_schema_version();
    if (name == "datacontenttype") return read_content_type();
    if (name == "data_base64") return read_data_base64();
    if (std::string* text = text_member(name)) return read_text(name, *text, limits::attribute_bytes_max);
    return read_extension(name);
  }

  std::string* text_member(std::string_view name) {
    Event& event = incoming_.event;
    if (name == "id") return &incoming_.id;
    if (name == "foreignid") return &incoming_.foreign_id;
    if (name == "correlationid") return &event.correlation_id;
    if (name == "causationid") return &event.causation_id;
    if (name == "traceparent") return &event.traceparent;
    if (name == "tracestate") return &event.tracestate;
    if (name == "partitionkey") return &event.key;
    if (name == "replayof") return &event.original_id;
    return nullptr;
  }

  Result<void> read_text(std::string_view name, std::string& out, std::size_t bytes_max) {
    const auto text = reader_.read_string(bytes_max);
    if (!text || !is_utf8(*text))
      return bad_member(name, "a string of at most " + std::to_string(bytes_max) + " bytes");
    out = *text;
    return {};
  }

  Result<void> read_type() {
    const auto text = reader_.read_string();
    if (text) incoming_.event.type = canonical_type(*text);
    if (!text || !is_event_type(incoming_.event.type))
      return bad_member("type", "an event type such as trade.approved");
    return {};
  }

  Result<void> read_specversion() {
    if (reader_.read_string() != "1.0") return bad_member("specversion", "\"1.0\"");
    return {};
  }

  Result<void> read_priority() {
    const auto text = reader_.read_string();
    const auto priority = text ? parse_priority(*text) : std::nullopt;
    if (!priority) return bad_member("priority", "critical, high, normal or low");
    incoming_.event.priority = *priority;
    incoming_.has_priority = true;
    return {};
  }

  Result<void> read_schema_version() {
    const auto number = reader_.read_uint();
    if (!number || *number > std::numeric_limits<std::uint32_t>::max()) {
      return bad_member("schemaversion", "an integer of 32 bits");
    }
    incoming_.event.schema_version = static_cast<std::uint32_t>(*number);
    return {};
  }

  template <class Set>
  Result<void> read_time_member(std::string_view name, Set set) {
    if (form_ == Form::Msgpack) {
      if (const auto ns = reader_.read_int()) {
        if (*ns < 0) return bad_member(name, "a time since 1970");
        set(WallTime{*ns});
        return {};
      }
    }
    const auto text = reader_.read_string();
    const auto time = text ? parse_time(*text) : Result<WallTime>(std::unexpected(text.error()));
    if (!time || time->ns < 0) return bad_member(name, "a time since 1970 as 2025-11-10T17:23:53.25Z");
    set(*time);
    return {};
  }

  Result<void> read_content_type() {
    std::string text;
    if (const auto read = read_text("datacontenttype", text, limits::attribute_bytes_max); !read) return read;
    return is_json_content(text) ? Result<void>{} : keep("datacontenttype", std::move(text));
  }

  Result<void> read_data() {
    const auto value = reader_.read_data();
    if (!value) return fail(ErrorCode::BadData, "member 'data': " + value.error().message);
    has_data_ = true;
    incoming_.event.data.assign(value->begin(), value->end());
    return {};
  }

  Result<void> read_data_base64() {
    const auto text = reader_.read_string();
    const auto bytes = text ? base64_decode(*text) : Result<Bytes>(std::unexpected(text.error()));
    if (!bytes) return bad_member("data_base64", "base64");
    has_data_base64_ = true;
    MsgpackWriter writer;
    writer.bin(*bytes);
    incoming_.event.data = writer.take();
    return {};
  }

  Result<void> read_extension(std::string_view name) {
    const auto kind = reader_.peek();
    if (!kind) return std::unexpected(kind.error());
    switch (*kind) {
      case MsgpackKind::Bool: return keep(name, reader_.read_bool().value_or(false) ? "true" : "false");
      case MsgpackKind::Uint: return keep(name, std::to_string(reader_.read_uint().value_or(0)));
      case MsgpackKind::Int: return keep(name, std::to_string(reader_.read_int().value_or(0)));
      case MsgpackKind::Float: {
        const double real = reader_.read_float().value_or(0);
        return std::isfinite(real) ? keep(name, float_text(real)) : bad_member(name, "a finite number");
      }
      case MsgpackKind::String: {
        std::string text;
        if (const auto read = read_text(name, text, limits::attribute_bytes_max); !read) return read;
        return keep(name, std::move(text));
      }
      case MsgpackKind::Nil:
      case MsgpackKind::Binary:
      case MsgpackKind::Array:
      case MsgpackKind::Map:
      case MsgpackKind::Ext: break;
    }
    return bad_member(name, "a string, a number or a boolean; only 'data' is more");
  }

  Result<void> keep(std::string_view name, std::string value) {
    auto& extensions = incoming_.event.extensions;
    if (!is_extension_name(name)) {
      return bad_member(name, "a name of at most " + std::to_string(limits::extension_name_bytes_max) +
                                  " bytes without control characters");
    }
    const auto same = std::ranges::find(extensions, name, &std::pair<std::string, std::string>::first);
    if (same != extensions.end()) {
      same->second = std::move(value);
    } else if (extensions.size() == limits::extensions_max) {
      return bad_member(name, "at most " + std::to_string(limits::extensions_max) + " extensions");
    } else {
      extensions.emplace_back(name, std::move(value));
    }
    return {};
  }

  MsgpackReader reader_;
  const Form form_;
  IncomingEvent incoming_;
  bool has_data_ = false;
  bool has_data_base64_ = false;
};

}  // namespace

Result<IncomingEvent> from_cloudevent_json(std::string_view json) {
  // One level for the event itself, the rest for its data.
  const auto msgpack = json_to_msgpack(json, limits::msgpack_depth_max + 1);
  if (!msgpack) return std::unexpected(msgpack.error());
  return CloudEventReader(*msgpack, Form::Json).read();
}

Result<IncomingEvent> from_cloudevent_msgpack(BytesView bytes) { return CloudEventReader(bytes, Form::Msgpack).read(); }

}  // namespace legion
