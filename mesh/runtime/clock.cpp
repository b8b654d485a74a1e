#include <legion/runtime/clock.hpp>

namespace legion {

Now read_clocks() {
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {{std::chrono::duration_cast<Duration>(steady).count()}, {std::chrono::duration_cast<Duration>(wall).count()}};
}

}  // namespace legion
