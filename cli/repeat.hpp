// Commands that look again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include <legion/cli/session.hpp>

namespace legion::cli {

struct RepeatOptions {
  std::optional<Duration> interval;     ///< absent: one look
  std::optional<std::uint64_t> count;   ///< stop after so many looks; absent: never
};

/// Calls `look` once, or every interval until the user interrupts (130) or nobody reads the output any more (0). A first
/// look that fails outright ends it, later ones do not. With `count`, the code of the last look.
int repeat(Session& session, const RepeatOptions& options, const std::function<int(std::uint64_t turn)>& look);

/// Begins a new screen on a terminal; elsewhere an empty line between two looks.
void begin_screen(Session& session, std::uint64_t turn);

}  // namespace legion::cli
