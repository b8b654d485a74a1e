// Rows in the form the user asked for.
#pragma once

#include <string>

#include <legion/cli/csv_rows.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>

namespace legion::cli {

/// JSON text of what may hold bytes that are not UTF-8: they are replaced. `indent` -1: one line.
std::string json_text(const JsonTree& json, int indent = -1);

/// Prints an array of objects as JSON, JSON lines or CSV. False: a table is wanted, nothing was printed.
bool print_rows(Session& session, const JsonTree& rows, CsvRows& csv);
/// Prints one object as JSON (indented), a JSON line or CSV. False: a table is wanted.
bool print_object(Session& session, const JsonTree& object);

}  // namespace legion::cli
