// What spools say of themselves, for people and scripts.
#pragma once

#include <string>

#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>
#include <legion/runtime/spool_queries.hpp>

namespace legion::cli {

JsonTree info_json(const std::string& name, const SpoolInfo& info);
/// A row per spool; problems are warnings.
void print_info_table(Session& session, const JsonTree& rows);

JsonTree verify_json(const std::string& name, const VerifyReport& report);
/// The figures, then a line for everything that is wrong.
void print_verify(Session& session, const JsonTree& report);

}  // namespace legion::cli
