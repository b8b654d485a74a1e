#pragma once

#include <string_view>

namespace legion {

/// "0.1.0": the project version of the build.
std::string_view product_version();

}  // namespace legion
