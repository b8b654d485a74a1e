// Reads the [[agent]] tables: one host each, subscriptions, and what each kind of host demands.
#pragma once

#include <legion/config/reader.hpp>

namespace legion {

/// `config` already holds what agents inherit.
void read_agents(Reader& reader, const toml::table& root, NodeConfig& config);

/// The tables of `[[name]]` with their indices; what is not a table is reported.
std::vector<const toml::table*> tables_of(Reader& reader, const toml::table& root, const std::string& name);

}  // namespace legion
