// Events from command lines and from JSON lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/event/json.hpp>
#include <legion/event/policy.hpp>

namespace legion::cli {

/// What the command line says about every event; it wins over what a line says.
struct EventChanges {
  std::optional<Priority> priority;
  std::string correlation_id;
  std::string causation_id;
  std::string key;
  std::string source;
  std::optional<std::uint32_t> schema_version;
  std::optional<Duration> ttl;  ///< applied by the caller, who knows the time
};

/// An event of this type whose data is JSON text (empty: null). Errors: BadData.
Result<IncomingEvent> event_of(const std::string& type, const std::string& data, const EventChanges& changes);

/// One line of a stream. Without a type it is a CloudEvent. With one, an object that says `specversion`, or both `type` and
/// `data`, is a CloudEvent all the same; anything else is the data of an event of that type. Errors: BadData.
Result<IncomingEvent> read_event_line(std::string_view line, const std::string& type, const EventChanges& changes);

}  // namespace legion::cli
