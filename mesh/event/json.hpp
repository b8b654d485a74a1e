// CloudEvents 1.0 JSON, the form of an event at every edge: output lines, exec agents, files. docs/protocol.md, "JSON".
#pragma once

#include <string>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/event/event.hpp>

namespace legion {

/// One MessagePack value as JSON: bin as {"$bin":"base64"}, non-finite floats as {"$float":"nan"|"inf"|"-inf"}, ext as
/// {"$ext":[type,"base64"]}. Text that is not UTF-8 becomes {"$bin":..} too. Errors: BadData.
Result<std::string> data_to_json(BytesView msgpack);
/// The inverse. A depth above limits::msgpack_depth_max is BadData.
Result<Bytes> data_from_json(std::string_view json);

/// What a delivery adds to the CloudEvent handed to an exec agent.
struct DeliveryAttributes {
  std::uint64_t delivery = 0;
  std::uint32_t attempt = 1;
};

/// One line without a newline. `delivery` adds the members "delivery" and "attempt".
Result<std::string> to_cloudevent_json(const EventView& event, const DeliveryAttributes* delivery = nullptr);

/// Reads a CloudEvent (`type` is required; source, time, priority, data, correlationid... optional; `priority` absent
/// leaves the type's default). `specversion`, when present, has to be "1.0". A foreign `id` is kept as foreign_id.
/// Errors: BadData naming the member and what was expected.
struct IncomingEvent {
  Event event;
  bool has_priority = false;
  bool has_time = false;
  bool has_source = false;
  std::string id;          ///< its `id`; an event that has one is given that as foreign_id ..
  std::string foreign_id;  ///< .. and not its `foreignid`, which is this
};
Result<IncomingEvent> from_cloudevent_json(std::string_view json);

/// The same members as a MessagePack map: what the local ipc pair carries. `time` and `expirytime` are integers (ns).
Result<Bytes> to_cloudevent_msgpack(const EventView& event);
Result<IncomingEvent> from_cloudevent_msgpack(BytesView bytes);

}  // namespace legion
