// Rows of text in aligned columns, or as CSV.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <legion/cli/paint.hpp>

namespace legion::cli {

enum class Align : std::uint8_t { Left, Right };

struct Column {
  std::string title;
  Align align = Align::Left;
  int rank = 0;  ///< 0: always shown; of the others the highest goes first when the terminal is too narrow
};

struct Cell {
  std::string text;
  Tint tint = Tint::Plain;
};

/// Bounds: holds every row until it is printed. Cells are made printable when they are added.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }

  /// Prints the titles and the rows; `width` 0: as wide as it gets. Returns the titles that found no room.
  std::vector<std::string> print(std::ostream& out, const Paint& paint, std::size_t width) const;
  /// The same as CSV with a header line; titles in lower case, blanks as underscores.
  void print_csv(std::ostream& out) const;

 private:
  std::vector<std::size_t> widths() const;
  std::vector<bool> shown(const std::vector<std::size_t>& widths, std::size_t width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace legion::cli
