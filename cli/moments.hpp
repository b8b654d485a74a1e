// Moments and names as people write them: "5m" (ago), "2026-11-21T10:00:00Z", "before-the-fix".
#pragma once

#include <string>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion::cli {

/// "now", a duration before `now`, or RFC 3339. Errors: InvalidArgument naming `flag`.
Result<WallTime> parse_moment(std::string_view flag, const std::string& text, WallTime now);

/// [A-Za-z0-9._-]{1,64}. Errors: InvalidArgument naming `flag`.
Result<void> check_mark_name(std::string_view flag, const std::string& name);

/// An event id in its one spelling. Errors: InvalidArgument naming `flag`.
Result<std::string> parse_event_id(std::string_view flag, const std::string& text);

/// From one moment to the other, at most what a Duration holds.
Duration between(WallTime from, WallTime to);

/// How long ago, for people: "3.2s", "5m12s", "2d4h"; "-" for a moment that is not known (0).
std::string age_text(WallTime moment, WallTime now);

}  // namespace legion::cli
