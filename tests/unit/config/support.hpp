// A directory that goes away, and short ways to load text.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <legion/config/config.hpp>

namespace legion::testing {

class ConfigDirectory {
 public:
  ConfigDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "legion-config-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~ConfigDirectory() { std::filesystem::remove_all(path_); }
  ConfigDirectory(const ConfigDirectory&) = delete;
  ConfigDirectory& operator=(const ConfigDirectory&) = delete;

  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// HOME and the number of cores are fixed, so that defaults are the same everywhere.
inline ConfigInputs inputs(std::vector<std::pair<std::string, std::string>> environment = {},
                           std::vector<std::string> sets = {}) {
  environment.insert(environment.begin(), {"HOME", "/home/legion"});
  return {std::move(environment), std::move(sets), 4};
}

inline auto parse(std::string_view text, const ConfigInputs& given = inputs()) {
  return parse_config(text, "/etc/node.toml", given);
}

/// The messages for `text`, without the directory of the file; empty when it loads.
inline std::vector<std::string> mistakes(std::string_view text, const ConfigInputs& given = inputs()) {
  const auto config = parse_config(text, "node.toml", given);
  std::vector<std::string> lines;
  if (!config) {
    for (const auto& problem : config.error()) lines.push_back(to_string(problem));
  }
  return lines;
}

/// A [node] table with a name on its first two lines, then `text`: it begins on line 3.
inline std::string named(std::string_view text) { return "[node]\nname = \"n1\"\n" + std::string(text); }

}  // namespace legion::testing
