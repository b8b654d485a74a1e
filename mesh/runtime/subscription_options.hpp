// A subscription of an agent as the node is told of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <legion/base/time.hpp>
#include <legion/core/dispatcher_types.hpp>
#include <legion/event/event.hpp>

namespace legion {

/// Where a durable subscription begins that no spool knows yet. What a spool knows of it goes before.
struct SubscriptionStart {
  enum class Kind : std::uint8_t {
    Now,        ///< behind the tails of all matching streams
    Beginning,  ///< with the oldest event a spool has
    Time,       ///< with events of `time` or later
    Event,      ///< with `event`, and what was recorded after it
  };
  Kind kind = Kind::Now;
  WallTime time{};
  EventId event;
};

struct DurableOptions {
  std::string name;  ///< unique in the mesh; the spools refuse a second member
  SubscriptionStart start;
};

struct SubscriptionOptions {
  SubscriptionSpec spec;
  std::optional<DurableOptions> durable{};
  enum class Replays : bool { No, Yes } replays = Replays::No;  ///< whether it takes events of `~replay.` streams too
};

}  // namespace legion
