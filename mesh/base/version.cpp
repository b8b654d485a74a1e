#include <legion/base/version.hpp>

namespace legion {

std::string_view product_version() { return LEGION_VERSION; }

}  // namespace legion
