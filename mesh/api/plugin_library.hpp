// A shared object that was found to be a plugin. Internal.
#pragma once

#include <filesystem>

#include <legion/plugin.hpp>

namespace legion {

/// Loads it, for the rest of the process: what its handlers leave behind (a coroutine that waits, an event type with
/// its functions) may be called until then. Errors: as load_plugin().
Result<const PluginDeclaration*> load_plugin_library(const std::filesystem::path& library);

/// Calls its setup; what that throws is an error too. Errors: Configuration naming the library.
Result<void> set_up_plugin(const PluginDeclaration& plugin, const std::filesystem::path& library, EmbeddedAgent& agent,
                           const PluginSettings& settings);

}  // namespace legion
