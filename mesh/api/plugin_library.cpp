#include <legion/api/plugin_library.hpp>

#include <dlfcn.h>

#include <cstddef>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include <legion/base/version.hpp>

namespace legion {

namespace {

constexpr const char* declaration_symbol = "legion_plugin_declaration";
constexpr std::string_view plugin_magic = "legionpl";
constexpr std::uint32_t plugin_interfaces_max = 1'000'000;  // there will never be so many

std::string last_error() {
  const char* text = ::dlerror();
  return text == nullptr ? "no reason given" : text;
}

Error wrong_interface(const std::string& name, std::uint32_t interface) {
  return {ErrorCode::WrongVersion, name + " was built for plugin interface " + std::to_string(interface) +
                                       ", this is legion " + std::string(product_version()) +
                                       " with plugin interface " + std::to_string(plugin_interface) +
                                       "; build it again with these headers"};
}

Result<void> check(const PluginDeclaration& plugin, const std::string& name) {
  if (std::string_view(plugin.magic, sizeof plugin.magic) != plugin_magic) {
    return fail(ErrorCode::BadData, name + " is not a legion plugin: its legion_plugin_declaration is none");
  }
  // What comes behind may be another thing.
  if (plugin.interface != plugin_interface) return std::unexpected(wrong_interface(name, plugin.interface));
  if (plugin.bytes != sizeof(PluginDeclaration) || plugin.layout != plugin_layout()) {
    return fail(ErrorCode::WrongVersion, name + " was built with headers of legion " + plugin.version +
                                             " or a standard library that differ from those of this legion " +
                                             std::string(product_version()) + "; build it again");
  }
  return {};
}

/// The declaration as it lies in the file, before any of its code runs: a plugin of another version may call, as soon
/// as it is loaded, what is not here, and that would end the process. Pointers are not there yet, so only numbers are
/// looked at. Whatever else has the magic word by chance is passed over.
Result<void> check_unloaded(const std::filesystem::path& library, const std::string& name) {
  std::ifstream in(library, std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::optional<std::uint32_t> other;
  for (std::size_t at = file.find(plugin_magic); at != std::string::npos; at = file.find(plugin_magic, at + 1)) {
    if (at + sizeof(PluginDeclaration) > file.size()) break;
    std::uint32_t interface = 0;
    std::memcpy(&interface, file.data() + at + offsetof(PluginDeclaration, interface), sizeof interface);
    if (interface == plugin_interface) return {};
    const bool may_be_one = interface > 0 && interface < plugin_interfaces_max;
    if (may_be_one) other = interface;
  }
  if (other) return std::unexpected(wrong_interface(name, *other));
  return {};
}

}  // namespace

Result<const PluginDeclaration*> load_plugin_library(const std::filesystem::path& library) {
  const std::string name = library.string();
  std::error_code ignored;
  if (!std::filesystem::exists(library, ignored)) return fail(ErrorCode::NotFound, "there is no file " + name);
  const std::string path = std::filesystem::absolute(library, ignored).string();  // never searched for
  if (auto checked = check_unloaded(path, name); !checked) return std::unexpected(checked.error());
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const std::string why = last_error();
    const bool calls_unknown = why.find("undefined symbol: _ZN") != std::string::npos;
    return fail(ErrorCode::BadData,
                "cannot load " + name + ": " + why +
                    (calls_unknown ? "; it may have been built for another version of legion" : ""));
  }
  const void* symbol = ::dlsym(handle, declaration_symbol);
  if (symbol == nullptr) {
    return fail(ErrorCode::BadData, name + " is not a legion plugin: it has no LEGION_PLUGIN()");
  }
  const auto* plugin = static_cast<const PluginDeclaration*>(symbol);
  if (auto checked = check(*plugin, name); !checked) return std::unexpected(checked.error());
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
  auto done = set_up_plugin(**plugin, library, *added, settings);
  if (done) return added;
  if (auto removed = node.remove_agent(agent); !removed) done.error().message += "; " + removed.error().message;
  return std::unexpected(done.error());
}

}  // namespace legion
