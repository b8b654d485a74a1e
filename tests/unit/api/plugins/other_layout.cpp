#include <legion/plugin.hpp>

namespace {
legion::Result<void> set_up(legion::EmbeddedAgent&, const legion::PluginSettings&) { return {}; }
}  // namespace

extern "C" __attribute__((visibility("default"))) const legion::PluginDeclaration legion_plugin_declaration;
const legion::PluginDeclaration legion_plugin_declaration{{'l', 'e', 'g', 'i', 'o', 'n', 'p', 'l'},
                                                          legion::plugin_interface,
                                                          sizeof(legion::PluginDeclaration),
                                                          "0.0.9",
                                                          legion::plugin_layout() + 1,
                                                          &set_up};
