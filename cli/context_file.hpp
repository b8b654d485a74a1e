// Named meshes: files in ~/.config/legion/contexts/ that say which node to talk to.
#pragma once

#include <string>

#include <legion/base/address.hpp>
#include <legion/base/error.hpp>
#include <legion/cli/world.hpp>

namespace legion::cli {

struct ContextFile {
  Address node;
};

/// Reads $XDG_CONFIG_HOME/legion/contexts/NAME.toml (without the variable: ~/.config/...), whose only key is
/// `node = "HOST:PORT"`. Errors: Configuration naming the file and what is wrong with it.
Result<ContextFile> read_context(const World& world, const std::string& name);

}  // namespace legion::cli
