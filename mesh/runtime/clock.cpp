#include <legion/runtime/clock.hpp>

namespace legion {

SteadyTime read_steady_clock() {
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<Duration>(steady).count()};
}

WallTime read_wall_clock() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<Duration>(wall).count()};
}

Now read_clocks() { return {read_steady_clock(), read_wall_clock()}; }

}  // namespace legion
