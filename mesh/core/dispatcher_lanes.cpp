#include <legion/core/dispatcher_lanes.hpp>

#include <bit>

#include <legion/base/assert.hpp>

namespace legion::dispatch {

std::optional<std::size_t> LaneChooser::due(LaneMask runnable) const {
  std::optional<std::size_t> found;
  for (std::size_t lane = 1; lane < limits::lane_count; ++lane) {
    if ((runnable & (1u << lane)) == 0 || passed_over_[lane] < passed_over_max) continue;
    if (!found || passed_over_[lane] > passed_over_[*found]) found = lane;
  }
  return found;
}

std::size_t LaneChooser::choose(LaneMask runnable) const {
  LEGION_ASSERT(runnable != 0);
  if (const auto lane = due(runnable)) return *lane;
  return static_cast<std::size_t>(std::countr_zero(runnable));
}

void LaneChooser::served(std::size_t lane, LaneMask runnable) {
  for (std::size_t other = 0; other < limits::lane_count; ++other) {
    if (other != lane && (runnable & (1u << other)) != 0) ++passed_over_[other];
  }
  passed_over_[lane] = 0;
}

}  // namespace legion::dispatch
