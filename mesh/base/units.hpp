// Durations and sizes as people write them: "250ms", "1d3h5m2s", "64MiB".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion {

/// Units ns, us, ms, s, m, h, d; several may follow each other, largest first. "0" alone is accepted.
/// Errors: InvalidArgument naming the text and an example.
Result<Duration> parse_duration(std::string_view text);

/// Units B, KiB, MiB, GiB, TiB, kB, MB, GB, TB. A bare number is refused except "0".
Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest exact form with at most two units, for example "1.5s", "250ms", "2h5m".
std::string format_duration(Duration value);
std::string format_size(std::uint64_t bytes);

/// RFC 3339 in UTC with as many fractional digits as needed (0, 3, 6 or 9): "2025-11-10T17:23:53.971744500Z".
std::string format_time(WallTime time);
/// RFC 3339 with any offset; errors: InvalidArgument.
Result<WallTime> parse_time(std::string_view text);

}  // namespace legion
