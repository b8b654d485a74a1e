// When the next event of a replay is due.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion::cli {

/// "original", "max", or a factor such as "2x" and "0.5x". Nothing: as fast as it goes. Errors: InvalidArgument.
Result<std::optional<double>> parse_speed(const std::string& text);

/// Thread: the command's. Events that are older than the one before are due with it.
class ReplayPace {
 public:
  /// Without either, everything is due at once.
  ReplayPace(std::optional<double> factor, std::optional<std::uint64_t> per_second)
      : factor_(factor), per_second_(per_second) {}

  /// The first call sets the beginning.
  SteadyTime due(WallTime event_time, SteadyTime now);
  bool limited() const { return factor_ || per_second_; }

 private:
  std::optional<double> factor_;
  std::optional<std::uint64_t> per_second_;
  std::optional<SteadyTime> begin_;
  WallTime first_{};
  std::uint64_t events_ = 0;
  SteadyTime latest_{};
};

}  // namespace legion::cli
