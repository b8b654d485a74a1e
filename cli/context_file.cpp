#include <legion/cli/context_file.hpp>

#include <algorithm>
#include <filesystem>

#include <toml++/toml.h>

namespace legion::cli {
namespace {

constexpr std::uint16_t default_port = 7400;

bool is_context_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.front() != '.' && std::ranges::all_of(name, allowed);
}

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::Configuration, std::move(message)); }

Result<std::filesystem::path> contexts_folder(const World& world) {
  if (const auto base = world.variable("XDG_CONFIG_HOME")) return std::filesystem::path(*base) / "legion" / "contexts";
  const auto home = world.variable("HOME");
  if (!home) return bad("--context: neither XDG_CONFIG_HOME nor HOME is set");
  return std::filesystem::path(*home) / ".config" / "legion" / "contexts";
}

Result<ContextFile> read_table(const toml::table& table, const std::string& file) {
  for (const auto& [key, value] : table) {
    if (key.str() != "node") {
      return bad(file + ":" + std::to_string(key.source().begin.line) + ": unknown key '" + std::string(key.str()) +
                 "'; a context holds node = \"HOST:PORT\"");
    }
  }
  const auto node = table["node"].value<std::string>();
  if (!node) return bad(file + ": node = \"HOST:PORT\" is missing");
  const auto address = parse_address(*node, default_port);
  if (!address) return bad(file + ": node: " + address.error().message);
  return ContextFile{*address};
}

}  // namespace

Result<ContextFile> read_context(const World& world, const std::string& name) {
  if (!is_context_name(name)) return bad("--context: '" + name + "' is not the name of a context");
  const auto folder = contexts_folder(world);
  if (!folder) return std::unexpected(folder.error());
  const std::string file = (*folder / (name + ".toml")).string();
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return bad("there is no context '" + name + "': " + file + " does not exist; it would hold node = \"HOST:PORT\"");
  }
  try {
    return read_table(toml::parse_file(file), file);
  } catch (const toml::parse_error& error) {
    return bad(file + ":" + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
}

}  // namespace legion::cli
