#pragma once

#include <cstdint>

#include <legion/base/time.hpp>
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
  EventId event{};
};

}  // namespace legion
