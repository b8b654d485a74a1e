// Which durable deliveries were in a handler's hands: kept outside the process, so that it is known after kill -9.
#pragma once

#include <cstdint>
#include <string>

#include <legion/event/journal.hpp>

namespace legion {

/// One durable delivery that is not over, as it stood when the process ended.
///
/// Whoever keeps them (a memory-mapped file) writes `attempt` and InHands right before the event is handed over, Failed
/// when that attempt failed (also the last one, also by a time-out or because its agent went down), and takes the entry
/// away when the event was handled, or with InFlightOver when it died. Of a run handed over at once the entry names the
/// event the handler has in hands now. A deferred event stays in hands. No fsync: what survives is the death of the
/// process, not of the machine.
struct InFlightEntry {
  std::string subscription;     ///< durable name; of a plain subscription, whose letter was requeued: ""
  std::string agent;            ///< node/agent
  StreamId stream;
  std::uint64_t sequence = 0;
  std::uint32_t attempt = 0;    ///< hand-overs made, this one included
  enum class Stage : std::uint8_t { InHands = 1, Failed = 2 } stage = Stage::InHands;
};

}  // namespace legion
