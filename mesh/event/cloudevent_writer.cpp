#include <legion/base/units.hpp>
#include <legion/event/json.hpp>
#include <legion/event/json_codec.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

// Writes the members of one JSON object.
class JsonMembers {
 public:
  void text(std::string_view name, std::string_view value) {
    begin(name);
    append_json_string(out_, value);
  }
  void number(std::string_view name, std::uint64_t value) {
    begin(name);
    out_ += std::to_string(value);
  }
  void time(std::string_view name, WallTime value) { text(name, format_time(value)); }

  Result<void> value(std::string_view name, BytesView msgpack) {
    begin(name);
    MsgpackReader reader(msgpack);
    if (const auto appended = append_json(out_, reader); !appended) return appended;
    return reader.expect_end();
  }

  std::string take() { return std::move(out_) + '}'; }

 private:
  void begin(std::string_view name) {
    out_ += out_.empty() ? '{' : ',';
    append_json_string(out_, name);
    out_ += ':';
  }

  std::string out_;
};

// Writes the members of one MessagePack map.
class MsgpackMembers {
 public:
  void text(std::string_view name, std::string_view value) {
    begin(name);
    entries_.str(value);
  }
  void number(std::string_view name, std::uint64_t value) {
    begin(name);
    entries_.uint(value);
  }
  void time(std::string_view name, WallTime value) {
    begin(name);
    entries_.integer(value.ns);
  }

  Result<void> value(std::string_view name, BytesView msgpack) {
    begin(name);
    MsgpackReader reader(msgpack);
    const auto raw = reader.read_data();
    if (!raw) return std::unexpected(raw.error());
    entries_.raw(*raw);
    return reader.expect_end();
  }

  Bytes take() {
    MsgpackWriter map;
    map.map(count_);
    map.raw(entries_.bytes());
    return map.take();
  }

 private:
  void begin(std::string_view name) {
    entries_.str(name);
    ++count_;
  }

  MsgpackWriter entries_;
  std::size_t count_ = 0;
};

template <class Members>
void write_optional(Members& members, std::string_view name, std::string_view value) {
  if (!value.empty()) members.text(name, value);
}

template <class Members>
Result<void> write_extensions(Members& members, BytesView extensions) {
  if (extensions.empty()) return {};
  MsgpackReader reader(extensions);
  const auto count = reader.read_map();
  if (!count) return std::unexpected(count.error());
  for (std::size_t i = 0; i < *count; ++i) {
    const auto name = reader.read_string();
    const auto value = name ? reader.read_string() : name;
    if (!value) return std::unexpected(value.error());
    members.text(*name, *value);
  }
  return {};
}

template <class Members>
Result<void> write_members(Members& members, const EventView& event, const DeliveryAttributes* delivery) {
  if (!event.defect.empty()) return fail(ErrorCode::BadData, event.id_string() + ": " + std::string(event.defect));
  members.text("specversion", "1.0");
  members.text("id", event.id_string());
  members.text("source", event.source);
  members.text("type", event.type);
  members.time("time", event.time);
  members.text("priority", to_string(event.lane));
  members.text("correlationid", event.correlation());
  write_optional(members, "causationid", event.causation_id);
  write_optional(members, "traceparent", event.traceparent);
  write_optional(members, "tracestate", event.tracestate);
  write_optional(members, "partitionkey", event.key);
  if (event.expires_at) members.time("expirytime", *event.expires_at);
  members.text("sequence", std::to_string(event.sequence));
  if (event.schema_version != 1) members.number("schemaversion", event.schema_version);
  write_optional(members, "foreignid", event.foreign_id);
  write_optional(members, "replayof", event.original_id);
  if (const auto written = write_extensions(members, event.extensions); !written) return written;
  if (delivery != nullptr) {
    members.number("delivery", delivery->delivery);
    members.number("attempt", delivery->attempt);
  }
  constexpr std::uint8_t nil[] = {0xc0};
  return members.value("data", event.data.empty() ? BytesView(nil) : event.data);
}

}  // namespace

Result<std::string> to_cloudevent_json(const EventView& event, const DeliveryAttributes* delivery) {
  JsonMembers members;
  if (const auto written = write_members(members, event, delivery); !written) return std::unexpected(written.error());
  return members.take();
}

Result<Bytes> to_cloudevent_msgpack(const EventView& event) {
  MsgpackMembers members;
  if (const auto written = write_members(members, event, nullptr); !written) return std::unexpected(written.error());
  return members.take();
}

}  // namespace legion
