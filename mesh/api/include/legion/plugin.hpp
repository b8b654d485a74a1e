// Agents in shared objects, loaded by legion-node (`plugin = "libx.so"`) or by a program.
//
//     legion::Result<void> set_up(legion::EmbeddedAgent& agent, const legion::PluginSettings& settings) {
//       if (auto added = agent.on("order.requested", &check); !added) return std::unexpected(added.error());
//       return {};
//     }
//     LEGION_PLUGIN(set_up)
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include <legion/agent.hpp>
#include <legion/node.hpp>
#include <legion/version.hpp>

namespace legion {

/// What the configuration says under `settings`, by name.
using PluginSettings = std::map<std::string, std::string, std::less<>>;

/// Called once, before legion-node starts or when a program calls load_plugin(): adds the handlers of the agent. They
/// are destroyed, on the thread that ends the node, before the shared object could be unloaded; it stays loaded to the
/// end of the process. Errors: what is wrong with the settings; legion-node does not start.
using PluginSetup = Result<void> (*)(EmbeddedAgent& agent, const PluginSettings& settings);

/// Changes with everything that makes a plugin of before unusable: a function it calls, a class it holds.
inline constexpr std::uint32_t plugin_interface = 1;

/// What a plugin says of itself. The first three members keep their place for ever.
struct PluginDeclaration {
  char magic[8];            ///< "legionpl"
  std::uint32_t interface;  ///< plugin_interface it was built for
  std::uint32_t bytes;      ///< sizeof(PluginDeclaration)
  const char* version;      ///< of legion it was built with
  std::uint64_t layout;     ///< plugin_layout() there
  PluginSetup setup;
};

/// Differs where the classes that cross the border do: another standard library or another build of it.
constexpr std::uint64_t plugin_layout() {
  std::uint64_t layout = __GXX_ABI_VERSION;
  for (const std::size_t size : {sizeof(std::string), sizeof(EmbeddedAgent), sizeof(Event), sizeof(EventView),
                                 sizeof(Handler), sizeof(HandlerOptions), sizeof(PluginSettings), sizeof(Publisher)}) {
    layout = layout * 1099511628211u + size;
  }
  return layout;
}

/// Makes a shared object a plugin whose agent is set up by `setup`. Once, outside of any namespace.
#define LEGION_PLUGIN(setup_function)                                                                          \
  extern "C" __attribute__((visibility("default"))) const legion::PluginDeclaration legion_plugin_declaration; \
  const legion::PluginDeclaration legion_plugin_declaration{{'l', 'e', 'g', 'i', 'o', 'n', 'p', 'l'},          \
                                                            legion::plugin_interface,                          \
                                                            sizeof(legion::PluginDeclaration),                 \
                                                            LEGION_VERSION_TEXT,                               \
                                                            legion::plugin_layout(),                           \
                                                            setup_function};

/// Adds an agent from a shared object to `node`. `library`: a path, absolute or from the working directory.
/// Errors: NotFound (no such file), BadData (not a shared object, or not a plugin), WrongVersion (built for another
/// version; names both), Configuration (what the plugin says of its settings; the agent is gone again, with the handlers
/// it had by then), and those of Node::add_agent(). Thread: that of Node::create().
Result<EmbeddedAgent> load_plugin(Node& node, std::string_view agent, const std::filesystem::path& library,
                                  const PluginSettings& settings = {}, AgentOptions options = {});

}  // namespace legion
