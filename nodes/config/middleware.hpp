// Reads the [[middleware]] tables.
#pragma once

#include <legion/config/reader.hpp>

namespace legion {

/// The agents of `config` have been read.
void read_middleware(Reader& reader, const toml::table& root, NodeConfig& config);

}  // namespace legion
