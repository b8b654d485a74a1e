// Whether the books of a mesh balance, and whether it is at rest. docs/operations.md, "check".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/cli/figures.hpp>

namespace legion::cli {

/// What one look at every node said.
struct BooksFound {
  JsonTree lines = JsonTree::array();  ///< every line of the books: lines_of() of every node
  JsonTree off = JsonTree::array();    ///< those whose balance is not 0
  std::vector<std::string> restless;   ///< what is still under way, one sentence each
};

/// The lines of one node's books: of every subscription (`kind` "subscription") and of its journals ("journal").
/// Balances are computed from the figures shown.
JsonTree lines_of(const JsonTree& snapshot);
BooksFound read_books(const std::vector<JsonTree>& snapshots);
/// "alpha: risk signal.: published 11, accounted for 10: 1 without an entry"
std::string off_text(const JsonTree& line);

/// Tells from looks in a row when nothing moves any more. Subscriptions that hear heartbeats always move: of them only
/// what is pending counts.
class Stillness {
 public:
  explicit Stillness(Duration needed) : needed_(needed) {}
  /// True: for as long as needed nothing was under way and nothing moved.
  bool look(SteadyTime now, const std::vector<JsonTree>& snapshots, const BooksFound& found);
  /// What moved between the last two looks: "alpha: risk signal."
  const std::vector<std::string>& moved() const { return moved_; }

 private:
  using Marks = std::map<std::string, std::string>;
  static Marks marks_of(const std::vector<JsonTree>& snapshots, const JsonTree& lines);

  Duration needed_;
  Marks last_;
  std::vector<std::string> moved_;
  std::optional<SteadyTime> still_since_;
};

}  // namespace legion::cli
