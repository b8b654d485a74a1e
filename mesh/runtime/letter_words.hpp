// What a node says of a dead letter.
#pragma once

#include <string>

#include <legion/base/bytes.hpp>
#include <legion/core/dispatcher_types.hpp>

namespace legion {

/// The line of the log.
std::string line_of(const DeadLetter& letter);
/// The data of the event system.dead_letter. docs/event-types.md.
Bytes data_of(const DeadLetter& letter);

}  // namespace legion
