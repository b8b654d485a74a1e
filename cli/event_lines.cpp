#include <legion/cli/event_lines.hpp>

#include <legion/event/msgpack_reader.hpp>

namespace legion::cli {
namespace {

void apply(const EventChanges& changes, IncomingEvent& incoming) {
  if (changes.priority) {
    incoming.event.priority = *changes.priority;
    incoming.has_priority = true;
  }
  if (!changes.source.empty()) {
    incoming.event.source = changes.source;
    incoming.has_source = true;
  }
  if (!changes.correlation_id.empty()) incoming.event.correlation_id = changes.correlation_id;
  if (!changes.causation_id.empty()) incoming.event.causation_id = changes.causation_id;
  if (changes.schema_version) incoming.event.schema_version = *changes.schema_version;
  if (!changes.key.empty()) incoming.event.key = changes.key;
}

bool looks_like_cloudevent(BytesView value) {
  MsgpackReader reader(value);
  const auto members = reader.read_map();
  if (!members) return false;
  bool type = false;
  bool data = false;
  for (std::size_t i = 0; i < *members; ++i) {
    const auto name = reader.read_string();
    if (!name || !reader.skip()) return false;
    if (*name == "specversion") return true;
    type = type || *name == "type";
    data = data || *name == "data";
  }
  return type && data;
}

}  // namespace

Result<IncomingEvent> event_of(const std::string& type, const std::string& data, const EventChanges& changes) {
  IncomingEvent incoming;
  incoming.event.type = type;
  if (!data.empty()) {
    auto value = data_from_json(data);
    if (!value) return fail(ErrorCode::BadData, "the data is not JSON: " + value.error().message);
    incoming.event.data = std::move(*value);
  }
  apply(changes, incoming);
  return incoming;
}

Result<IncomingEvent> read_event_line(std::string_view line, const std::string& type, const EventChanges& changes) {
  if (!type.empty()) {
    auto value = data_from_json(line);
    if (value && !looks_like_cloudevent(*value)) {
      IncomingEvent incoming;
      incoming.event.type = type;
      incoming.event.data = std::move(*value);
      apply(changes, incoming);
      return incoming;
    }
  }
  auto incoming = from_cloudevent_json(line);
  if (incoming) apply(changes, *incoming);
  return incoming;
}

}  // namespace legion::cli
