// Which lane is served next: the highest, except that none starves.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <legion/base/limits.hpp>

namespace legion::dispatch {

/// Bit n is set when lane n has runnable work.
using LaneMask = std::uint8_t;

inline constexpr std::uint32_t starvation_window = 64;
/// At most so many events are handed over at once while another lane has runnable work.
inline constexpr std::uint32_t run_while_others_wait = 16;
/// A lane passed over by so many events is due, and what is due gets one event. The last run before lane L is due
/// begins when L was passed over by at most passed_over_max - 1 events and adds at most run_while_others_wait; then up
/// to two more lanes may be due before L, with one event each. So L is passed over by at most passed_over_max - 1 +
/// run_while_others_wait + 2 = starvation_window - 1 events in a row, and every starvation_window events have one of L.
inline constexpr std::uint32_t passed_over_max = starvation_window - run_while_others_wait - 2;

/// Counts, for the lanes below critical, the events handed over from another lane while the lane had runnable work. A
/// lane without work keeps its count: work that is runnable only now and then does not lose its turn. Events of a run
/// that come back unhandled stay counted, so a lane may have its turn early, never late.
class LaneChooser {
 public:
  /// The lane that is due among `runnable`: the one passed over most often. None when there is no other to choose.
  std::optional<std::size_t> due(LaneMask runnable) const;
  /// `events` from `lane` were handed over while `runnable` had work.
  void served(std::size_t lane, LaneMask runnable, std::uint32_t events);
  /// No handler was given what was handed over from `lane`: it is due, behind every lane that was due meanwhile. So it
  /// is before another lane only once, as the bound above has it.
  void turn_unused(std::size_t lane);

 private:
  std::array<std::uint32_t, limits::lane_count> passed_over_{};
};

}  // namespace legion::dispatch
