// The flags that choose events: types, priorities, sources, correlations, keys.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <legion/base/error.hpp>
#include <legion/cli/event_choice.hpp>
#include <legion/event/priority.hpp>

namespace legion::cli {

class ChoiceFlags {
 public:
  /// --priority, --source, --correlation, --key, --where and --exclude.
  void declare(CLI::App& app);
  /// Reads the types given and the flags. Errors: InvalidArgument saying what is not understood, with what was probably
  /// meant.
  Result<void> check(const std::vector<std::string>& types);

  EventChoice choice;
  std::vector<Priority> lanes;  ///< empty: all

 private:
  std::string priority_;
  std::vector<std::string> excluded_;
  std::vector<std::string> conditions_;
};

}  // namespace legion::cli
