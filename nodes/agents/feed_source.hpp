#pragma once

#include <optional>
#include <string>
#include <variant>

#include <legion/agents/field_value.hpp>
#include <legion/base/error.hpp>

namespace legion {

struct FeedRow {
  Fields fields;
  std::optional<double> seconds;  ///< since 1970, from the column `time`
};

/// A row that cannot be used; the next one can be.
struct RowDefect {
  std::string message;  ///< names file, line and column
};

struct FeedEnd {};

/// Where a feed takes its rows from. Thread: the feed's own.
class FeedSource {
 public:
  virtual ~FeedSource() = default;
  /// At the first row, for the first time or again. Errors: what makes the whole source useless.
  virtual Result<void> rewind() = 0;
  virtual std::variant<FeedRow, RowDefect, FeedEnd> next() = 0;
};

}  // namespace legion
