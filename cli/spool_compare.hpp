// Two spools as sets: do both have the same?
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <legion/cli/spool_queries.hpp>

namespace legion::cli {

struct SpoolDifference {
  std::string journal;   ///< "alpha:7:confirmed"
  PositionRange range;
  std::string what;      ///< "only in beta", "a void in beta", "other bytes", "another boot id"
};

struct SpoolComparison {
  std::uint64_t journals = 0;
  std::uint64_t positions = 0;      ///< compared
  std::uint64_t not_compared = 0;   ///< below what one of them keeps
  std::vector<SpoolDifference> differences;
};

/// Positions sets compare which journal positions each has; Bytes reads every frame of both.
enum class CompareDepth : std::uint8_t { Positions, Bytes };

/// Both are asked for their journals one after the other, so that a flood that goes on shows as a difference at the end.
/// Bounds: a page of records of each at a time. Errors: as SpoolQueries; Closed when `go_on` said no.
Result<SpoolComparison> compare_spools(SpoolQueries& a, SpoolQueries& b, CompareDepth depth,
                                       const std::function<bool()>& go_on);

}  // namespace legion::cli
