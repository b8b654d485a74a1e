// Which positions of a journal are there: ranges with holes.
#pragma once

#include <vector>

#include <legion/event/journal.hpp>

namespace legion {

/// A set of positions, kept as ascending ranges that do not touch. Cheap where positions come in order; a range in the
/// middle costs a move of what lies behind it. Positions are at most 2^63 - 1.
class PositionSet {
 public:
  PositionSet() = default;
  /// In any order, overlapping or not.
  explicit PositionSet(const std::vector<PositionRange>& ranges);

  bool contains(Position position) const;
  bool empty() const { return ranges_.empty(); }
  /// The highest; 0 when there is none.
  Position last() const { return ranges_.empty() ? 0 : ranges_.back().last; }
  const std::vector<PositionRange>& ranges() const { return ranges_; }
  /// The last position of the run that begins right behind `floor`; `floor` itself when none does.
  Position contiguous_from(Position floor) const;
  /// The parts of `range` that are not here, ascending.
  std::vector<PositionRange> missing(PositionRange range) const;
  /// The parts of `range` that are here, ascending.
  std::vector<PositionRange> common(PositionRange range) const;

  void add(PositionRange range);
  void add(const std::vector<PositionRange>& ranges);
  void remove(PositionRange range);

  friend bool operator==(const PositionSet&, const PositionSet&) = default;

 private:
  // The first range that ends at `position` or behind it.
  std::vector<PositionRange>::const_iterator at_or_behind(Position position) const;

  std::vector<PositionRange> ranges_;
};

}  // namespace legion
