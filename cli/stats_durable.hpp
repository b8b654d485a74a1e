// The sections of a node's statistics about what is durable: journals, links to spools, the spool, durable subscriptions.
#pragma once

#include <string_view>
#include <vector>

#include <legion/cli/figures.hpp>
#include <legion/cli/stats_sections.hpp>
#include <legion/cli/table.hpp>

namespace legion::cli {

/// Each of these only for Section::Journal, Link, Spool and Durable.
std::vector<Column> durable_columns(Section section);
std::vector<Cell> durable_row(Section section, const JsonTree& row);
/// An object per journal, link and subscription; of a spool one.
JsonTree durable_rows(Section section, const JsonTree& snapshot);
std::vector<std::string_view> durable_csv_columns(Section section);

}  // namespace legion::cli
