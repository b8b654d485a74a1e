// The command line of legion-cli.
#pragma once

#include <string>
#include <vector>

#include <legion/cli/world.hpp>

namespace legion::cli {

/// Parses the arguments (without the program's name), runs the verb and returns the exit code. Errors of the command
/// line end with 64 and a line on standard error.
int run_cli(const std::vector<std::string>& arguments, Console& console, World& world);

}  // namespace legion::cli
