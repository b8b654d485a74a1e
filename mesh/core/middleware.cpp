#include <legion/core/middleware.hpp>

#include <cstring>

#include <xxhash.h>

#include <legion/event/event_type.hpp>

namespace legion {

namespace {

/// Data of its own, and the frame that everything else points into.
struct Changed {
  EventPtr original;
  Bytes data;
  EventView view;
};

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

}  // namespace

EventView PublishedEvent::view() const {
  const Event& from = event();
  EventView view;
  view.type = around_.type;
  view.lane = around_.priority;
  view.time = from.time == WallTime{} ? around_.now.wall : from.time;
  view.source = from.source.empty() ? around_.source : std::string_view(from.source);
  view.schema_version = from.schema_version;
  view.correlation_id = from.correlation_id;
  view.causation_id = from.causation_id;
  view.traceparent = from.traceparent;
  view.tracestate = from.tracestate;
  view.key = from.key;
  view.expires_at = from.expires_at;
  view.foreign_id = from.foreign_id;
  view.original_id = from.original_id;
  static constexpr std::uint8_t nil = 0xc0;  // what it is on the wire
  view.data = from.data.empty() ? BytesView(&nil, 1) : BytesView(from.data);
  return view;
}

Event& PublishedEvent::change() {
  if (!changed_) changed_ = original_;
  ++changes_;
  return *changed_;
}

void DispatchedEvent::change_data(Bytes data, std::uint32_t schema_version) {
  auto changed = std::make_shared<Changed>();
  changed->original = std::move(event_);
  changed->data = std::move(data);
  changed->view = *changed->original;
  changed->view.data = changed->data;
  changed->view.schema_version = schema_version;
  const EventView* const view = &changed->view;
  event_ = EventPtr(std::move(changed), view);
}

std::optional<std::uint64_t> identity_hash(const EventView& event) {
  if (!event.foreign_id.empty()) return hash_of(event.foreign_id, hash_of(event.source, 1));
  if (!event.original_id.empty()) return hash_of(event.original_id, 0);
  if (event.sequence == 0) return std::nullopt;
  return hash_of(event.id_string(), 0);
}

std::uint64_t coordinate_hash(const EventView& event) {
  const std::uint64_t numbers[] = {event.incarnation, event.sequence,
                                   lane_index(event.lane) << 8 | std::uint64_t{event.shard}};
  return XXH3_64bits_withSeed(numbers, sizeof numbers, hash_of(event.wire_type(), hash_of(event.origin, 2)));
}

bool is_asked_for(const EventView& event) { return event.wire_type().starts_with(replay_to_prefix); }

}  // namespace legion
