#pragma once

#include <legion/base/time.hpp>

namespace legion {

/// Reads both clocks. The one place of the node that does.
Now read_clocks();

}  // namespace legion
