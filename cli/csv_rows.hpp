// JSON objects as CSV lines for scripts.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <legion/cli/figures.hpp>

namespace legion::cli {

/// Values are those of the JSON form, without units. A member of an object inside is a column of its own, as `lost_link`;
/// the items of an array are joined with ';' (of objects their values with '='); null and absent members are empty.
///
/// The columns are the given ones and behind them what else the rows of the first print() hold, and stay so: every line
/// has the same. The titles are printed once.
class CsvRows {
 public:
  explicit CsvRows(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  /// Prints an array of objects.
  void print(std::ostream& out, const JsonTree& rows);

 private:
  void add_column(const std::string& name, std::string_view value);

  std::vector<std::string> columns_;
  bool begun_ = false;
};

}  // namespace legion::cli
