// Time as plain values. Nothing here reads a clock: the core is given a Now, the runtime reads it.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace legion {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// A moment on a clock that never steps, in ns since an unspecified start of this process's machine.
struct SteadyTime {
  std::int64_t ns = 0;
  friend auto operator<=>(SteadyTime, SteadyTime) = default;
  friend SteadyTime operator+(SteadyTime t, Duration d) { return {t.ns + d.count()}; }
  friend SteadyTime operator-(SteadyTime t, Duration d) { return {t.ns - d.count()}; }
  friend Duration operator-(SteadyTime a, SteadyTime b) { return Duration{a.ns - b.ns}; }
};

/// A moment in UTC, in ns since 1970. It may step; never measure with it.
struct WallTime {
  std::int64_t ns = 0;
  friend auto operator<=>(WallTime, WallTime) = default;
  friend WallTime operator+(WallTime t, Duration d) { return {t.ns + d.count()}; }
  friend Duration operator-(WallTime a, WallTime b) { return Duration{a.ns - b.ns}; }
};

/// Both clocks, read once per turn by whoever owns the thread and handed down.
struct Now {
  SteadyTime steady{};
  WallTime wall{};
};

}  // namespace legion
