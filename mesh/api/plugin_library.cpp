#include <legion/api/plugin_library.hpp>

#include <dlfcn.h>

#include <cstring>
#include <exception>
#include <string_view>

#include <legion/base/version.hpp>

namespace legion {

namespace {

constexpr const char* declaration_symbol = "legion_plugin_declaration";
constexpr std::string_view plugin_magic = "legionpl";

std::string last_error() {
  const char* text = ::dlerror();
  return text == nullptr ? "no reason given" : text;
}

Result<void> check(const PluginDeclaration& plugin, const std::string& name) {
  if (std::string_view(plugin.magic, sizeof plugin.magic) != plugin_magic) {
    return fail(ErrorCode::BadData, name + " is not a legion plugin: its legion_plugin_declaration is none");
  }
  if (plugin.interface != plugin_interface) {  // what comes behind may be another thing
    return fail(ErrorCode::WrongVersion, name + " was built for plugin interface " + std::to_string(plugin.interface) +
                                             ", this is legion " + std::string(product_version()) +
                                             " with plugin interface " + std::to_string(plugin_interface) +
                                             "; build it again with these headers");
  }
  if (plugin.bytes != sizeof(PluginDeclaration) || plugin.layout != plugin_layout()) {
    return fail(ErrorCode::WrongVersion, name + " was built with headers of legion " + plugin.version +
                                             " or a standard library that differ from those of this legion " +
                                             std::string(product_version()) + "; build it again");
  }
  return {};
}

}  // namespace

Result<const PluginDeclaration*> load_plugin_library(const std::filesystem::path& library) {
  const std::string name = library.string();
  std::error_code ignored;
  if (!std::filesystem::exists(library, ignored)) return fail(ErrorCode::NotFound, "there is no file " + name);
  const std::string path = std::filesystem::absolute(library, ignored).string();  // never searched for
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  const std::string trouble = handle == nullptr ? "cannot load " + name + ": " + last_error() : "";
  // One of another version may call what is not here any more, and is to be told apart by its version.
  if (handle == nullptr) handle = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) return fail(ErrorCode::BadData, trouble);
  const void* symbol = ::dlsym(handle, declaration_symbol);
  if (symbol == nullptr) {
    return fail(ErrorCode::BadData, name + " is not a legion plugin: it has no LEGION_PLUGIN()");
  }
  const auto* plugin = static_cast<const PluginDeclaration*>(symbol);
  if (auto checked = check(*plugin, name); !checked) return std::unexpected(checked.error());
  if (!trouble.empty()) return fail(ErrorCode::BadData, trouble);
  return plugin;
}

Result<void> set_up_plugin(const PluginDeclaration& plugin, const std::filesystem::path& library, EmbeddedAgent& agent,
                           const PluginSettings& settings) {
  try {
    auto done = plugin.setup(agent, settings);
    if (done) return {};
    return fail(ErrorCode::Configuration, library.string() + ": " + done.error().message);
  } catch (const std::exception& error) {
    return fail(ErrorCode::Configuration, library.string() + ": exception: " + error.what());
  } catch (...) {
    return fail(ErrorCode::Configuration, library.string() + ": exception that is no std::exception");
  }
}

Result<EmbeddedAgent> load_plugin(Node& node, std::string_view agent, const std::filesystem::path& library,
                                  const PluginSettings& settings, AgentOptions options) {
  const auto plugin = load_plugin_library(library);
  if (!plugin) return std::unexpected(plugin.error());
  auto added = node.add_agent(agent, options);
  if (!added) return added;
  if (auto done = set_up_plugin(**plugin, library, *added, settings); !done) return std::unexpected(done.error());
  return added;
}

}  // namespace legion
