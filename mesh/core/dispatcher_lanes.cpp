#include <legion/core/dispatcher_lanes.hpp>

#include <algorithm>
#include <bit>

#include <legion/base/planted.hpp>

namespace legion::dispatch {

std::optional<std::size_t> LaneChooser::due(LaneMask runnable) const {
  if (std::has_single_bit(runnable)) return std::nullopt;
  std::optional<std::size_t> found;
  for (std::size_t lane = 1; lane < limits::lane_count; ++lane) {
    if (LEGION_PLANTED(LowStarved)) continue;
    if ((runnable & (1u << lane)) == 0 || passed_over_[lane] < passed_over_max) continue;
    if (!found || passed_over_[lane] > passed_over_[*found]) found = lane;
  }
  return found;
}

void LaneChooser::served(std::size_t lane, LaneMask runnable, std::uint32_t events) {
  for (std::size_t other = 0; other < limits::lane_count; ++other) {
    if (other != lane && (runnable & (1u << other)) != 0) passed_over_[other] += events;
  }
  passed_over_[lane] = 0;
}

void LaneChooser::turn_unused(std::size_t lane) { passed_over_[lane] = std::max(passed_over_[lane], passed_over_max); }

}  // namespace legion::dispatch
