// What stands above the file: the environment, and above that --set.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <legion/config/config.hpp>
#include <legion/config/schema.hpp>

namespace legion {

struct OverrideReport {
  std::map<std::string, std::string, std::less<>> sources;  ///< key path -> "environment NAME" or "--set KEY"
  std::vector<ConfigProblem> problems;
};

/// Writes the overrides into `root` as if they stood in the file. Order, lowest first: old variable names,
/// LEGION_TABLE_KEY, --set in the order given.
OverrideReport apply_overrides(toml::table& root, const ConfigInputs& inputs, const std::vector<PlainTable>& tables);

}  // namespace legion
