#include <legion/event/event.hpp>

#include <array>
#include <charconv>

#include <legion/event/event_type.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {
namespace {

constexpr std::size_t id_part_count = 6;

std::unexpected<Error> bad_id(std::string_view text, std::string_view part) {
  return fail(ErrorCode::BadData, "'" + std::string(text.substr(0, 300)) + "' is not an event id: the " +
                                      std::string(part) +
                                      " does not parse (node:incarnation:lane:type:shard:sequence)");
}

// Decimal digits without sign or leading zeros, so that an id has one spelling.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::array<std::string_view, id_part_count>> split_id(std::string_view text) {
  std::array<std::string_view, id_part_count> parts;
  for (std::size_t i = 0; i < id_part_count; ++i) {
    const std::size_t colon = text.find(':');
    const bool is_last = i + 1 == id_part_count;
    if ((colon == std::string_view::npos) != is_last) return std::nullopt;
    parts[i] = text.substr(0, colon);
    if (!is_last) text.remove_prefix(colon + 1);
  }
  return parts;
}

std::string print_id(std::string_view node, Incarnation incarnation, Priority lane, std::string_view type,
                     std::uint8_t shard, std::uint64_t sequence) {
  std::string out;
  out.reserve(node.size() + type.size() + 48);
  out += node;
  out += ':';
  out += std::to_string(incarnation);
  out += ':';
  out += static_cast<char>('0' + lane_index(lane));
  out += ':';
  out += type;
  out += ':';
  out += std::to_string(shard);
  out += ':';
  out += std::to_string(sequence);
  return out;
}

}  // namespace

std::string EventId::to_string() const { return print_id(node, incarnation, lane, type, shard, sequence); }

Result<EventId> EventId::parse(std::string_view text) {
  const auto parts = split_id(text);
  if (!parts) return bad_id(text, "number of parts");
  const auto& [node, incarnation_text, lane_text, type, shard_text, sequence_text] = *parts;
  if (!is_node_name(node)) return bad_id(text, "node");
  const auto incarnation = parse_number(incarnation_text);
  if (!incarnation) return bad_id(text, "incarnation");
  const auto lane = parse_number(lane_text);
  if (!lane || *lane >= limits::lane_count) return bad_id(text, "lane");
  if (!is_wire_type(type)) return bad_id(text, "type");
  const auto shard = parse_number(shard_text);
  if (!shard || *shard > 255) return bad_id(text, "shard");
  const auto sequence = parse_number(sequence_text);
  if (!sequence || *sequence == 0) return bad_id(text, "sequence");
  return EventId{.node = std::string(node),
                 .incarnation = *incarnation,
                 .lane = static_cast<Priority>(*lane),
                 .type = std::string(type),
                 .shard = static_cast<std::uint8_t>(*shard),
                 .sequence = *sequence};
}

EventId EventView::id() const {
  return EventId{.node = std::string(origin),
                 .incarnation = incarnation,
                 .lane = lane,
                 .type = std::string(wire_type()),
                 .shard = shard,
                 .sequence = sequence};
}

std::string EventView::id_string() const { return print_id(origin, incarnation, lane, wire_type(), shard, sequence); }

std::string EventView::correlation() const {
  return correlation_id.empty() ? id_string() : std::string(correlation_id);
}

Event EventView::to_event() const {
  Event event;
  event.type = type;
  event.source = source;
  event.time = time;
  event.priority = lane;
  event.schema_version = schema_version;
  event.correlation_id = correlation_id;
  event.causation_id = causation_id;
  event.traceparent = traceparent;
  event.tracestate = tracestate;
  event.key = key;
  event.expires_at = expires_at;
  event.foreign_id = foreign_id;
  event.original_id = original_id;
  event.data.assign(data.begin(), data.end());
  MsgpackReader reader(extensions);
  const std::size_t count = extensions.empty() ? 0 : reader.read_map().value_or(0);
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = reader.read_string();
    const auto value = name ? reader.read_string() : name;
    if (!value) break;
    event.extensions.emplace_back(*name, *value);
  }
  return event;
}

}  // namespace legion
