// A line per interval and node: what changed since the line before.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <legion/cli/csv_rows.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>

namespace legion::cli {

/// Thread: the command's.
class RollingStats {
 public:
  /// Prints the line of one node. The first look at an incarnation only sets the marks.
  void look(Session& session, const JsonTree& snapshot, SteadyTime now, WallTime wall);

 private:
  struct Mark {
    std::uint64_t incarnation = 0;
    SteadyTime at;
    std::uint64_t published = 0;
    std::uint64_t received = 0;
    std::uint64_t dispatched = 0;
    std::uint64_t lost = 0;
  };
  void print(Session& session, const JsonTree& line);

  std::map<std::string, Mark> marks_;
  std::size_t lines_ = 0;
  CsvRows csv_{{}};
};

}  // namespace legion::cli
