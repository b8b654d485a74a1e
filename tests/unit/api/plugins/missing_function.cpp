// Calls what no legion has.
#include <legion/plugin.hpp>

namespace legion {
void function_of_the_future();
}

namespace {
legion::Result<void> set_up(legion::EmbeddedAgent&, const legion::PluginSettings&) {
  legion::function_of_the_future();
  return {};
}
}  // namespace

LEGION_PLUGIN(set_up)
