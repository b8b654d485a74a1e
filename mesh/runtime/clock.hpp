#pragma once

#include <legion/base/time.hpp>

namespace legion {

/// Reads both clocks. This file is the one place of the node that does.
Now read_clocks();
/// One of them alone, at half the price.
SteadyTime read_steady_clock();
WallTime read_wall_clock();

}  // namespace legion
