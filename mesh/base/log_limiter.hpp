#pragma once

#include <cstdint>
#include <optional>

#include <legion/base/time.hpp>

namespace legion {

/// Keeps a flood of lines from drowning a log: so many a window, and then how many were left out.
class LogLimiter {
 public:
  LogLimiter(std::uint32_t lines, Duration window) : lines_(lines), window_(window) {}

  /// Whether a line may be logged now; if not, it is counted as suppressed.
  bool allow(SteadyTime now);
  /// How many lines were suppressed, once the window in which that happened is over.
  std::optional<std::uint64_t> take_suppressed(SteadyTime now);
  /// The same without waiting for the end of the window: for the end of a process.
  std::optional<std::uint64_t> take_suppressed();
  /// When take_suppressed(now) will have something to say.
  std::optional<SteadyTime> deadline() const;

 private:
  std::uint32_t lines_;
  Duration window_;
  std::optional<SteadyTime> began_;
  std::uint32_t used_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace legion
