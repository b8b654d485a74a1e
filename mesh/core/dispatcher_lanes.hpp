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
/// A lane passed over this often is due. Up to two more lanes may be due before it, so it is passed over at most
/// starvation_window - 1 times in a row.
inline constexpr std::uint32_t passed_over_max = starvation_window - 3;

/// Counts, for the lanes below critical, the hand-overs that went to another lane while the lane had runnable work. A
/// lane without work keeps its count: work that is runnable only now and then does not lose its turn.
class LaneChooser {
 public:
  /// The lane that is due among `runnable`: the one passed over most often.
  std::optional<std::size_t> due(LaneMask runnable) const;
  /// The due lane, else the highest. `runnable` is not empty.
  std::size_t choose(LaneMask runnable) const;
  /// A hand-over from `lane` took place while `runnable` had work.
  void served(std::size_t lane, LaneMask runnable);

 private:
  std::array<std::uint32_t, limits::lane_count> passed_over_{};
};

}  // namespace legion::dispatch
