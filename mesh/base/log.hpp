// Log lines as values: the mesh says what happened, the program decides where it goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace legion {

/// A severity: of the log as a whole, or of one line. Off is a threshold only: it writes nothing.
enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warn, Error, Off };

/// Called from any thread; must not block for long and must not throw.
using LogSink = std::function<void(LogLevel level, std::string_view text)>;

}  // namespace legion
