#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <legion/agents/feed_source.hpp>

namespace legion {

/// The cells of one line of CSV (RFC 4180, comma, quoted cells within one line). Errors: BadData naming the column.
Result<std::vector<std::string>> split_csv(std::string_view line);

/// A CSV file with a header line.
///
/// A column is numeric when the first row with a value there holds a number; integers stay integers, everything else
/// is a double, and `time` always is. An empty cell is absent from the data. All other columns are strings.
class CsvSource final : public FeedSource {
 public:
  explicit CsvSource(std::string path) : path_(std::move(path)) {}

  Result<void> rewind() override;
  std::variant<FeedRow, RowDefect, FeedEnd> next() override;

 private:
  enum class Kind : std::uint8_t { Unknown, Number, Text };
  struct Column {
    std::string name;
    Kind kind = Kind::Unknown;
  };

  Result<FeedRow> read_row(std::string_view line);
  std::string at_line(std::string_view what) const;

  std::string path_;
  std::ifstream file_;
  std::vector<Column> columns_;
  std::uint64_t line_ = 0;
};

}  // namespace legion
