// A node's statistics as rows for CSV: the members of the JSON form behind the node's name and incarnation.
#pragma once

#include <string>
#include <vector>

#include <legion/cli/stats_sections.hpp>

namespace legion::cli {

/// The columns every node of this version has, in the order of the JSON form; counters that are still 0 included.
std::vector<std::string> csv_columns(Section section);
/// An array with an object per row. Figures only grow within one incarnation.
JsonTree csv_rows(Section section, const JsonTree& snapshot);

std::vector<std::string> books_csv_columns();
JsonTree books_csv_rows(const JsonTree& snapshot);

}  // namespace legion::cli
