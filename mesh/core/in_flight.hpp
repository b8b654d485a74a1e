// Which durable deliveries were in a handler's hands: kept outside the process, so that it is known after kill -9.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <legion/event/journal.hpp>

namespace legion {

/// The error of an attempt that the process did not survive.
inline constexpr std::string_view ended_in_hands_text = "the node ended while it was handled";
/// The error of a rejection that no letter tells of yet.
inline constexpr std::string_view rejected_before_text =
    "rejected; what the handler said is not known, because the node ended before there was a letter";

/// The way by which an event came into hands: attempts by one do not count for another.
struct InFlightPath {
  enum class Role : std::uint8_t { Target, Gate } role = Role::Target;  ///< Gate: it stands before a durable delivery
  std::uint32_t round = 0;  ///< of the letter that was requeued; 0: by the cursor of a subscription
  friend auto operator<=>(const InFlightPath&, const InFlightPath&) = default;
};

/// One durable delivery, or a gate before one, that is not over, as it stood when the process ended.
///
/// Whoever keeps them (a memory-mapped file) writes `attempt` and InHands right before the event is handed over, Failed
/// when that attempt failed (also the last one, also by a time-out or because its agent went down), Rejected when the
/// handler said so, and takes the entry away when the event was handled, or with InFlightOver when it died; a gate that
/// rejects has handled it. Of a run handed over at once the entry names the event the handler has in hands now. A
/// deferred event stays in hands. No fsync: what survives is the death of the process, not of the machine.
struct InFlightEntry {
  std::string subscription;  ///< durable name; of a plain subscription, whose letter was requeued: ""
  std::string agent;  ///< node/agent
  StreamId stream;
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;  ///< hand-overs made, this one included
  enum class Stage : std::uint8_t { InHands = 1, Failed = 2, Rejected = 3 } stage = Stage::InHands;
  InFlightPath path{};
};

}  // namespace legion
