// What one spool is to fetch from another: set algebra over what both have of a journal.
#pragma once

#include <cstddef>
#include <vector>

#include <legion/spool/position_set.hpp>
#include <legion/spool/store.hpp>

namespace legion {

/// Positions of one journal that another spool has and this one lacks.
struct CatchupWants {
  PositionSet holes;   ///< before the last position held here: no link brings them by itself
  PositionSet end;     ///< behind it: the origin may be about to send them
  PositionSet voids;   ///< held here as a void, there as a frame

  /// Something at or below `position` is among them.
  bool reach_down_to(Position position) const;
  bool empty() const { return holes.empty() && end.empty() && voids.empty(); }
};

/// Everything from the floor up to here is there.
Position contiguous_through(const JournalState& journal);

/// Both states are of one journal. Nothing at or below the floor here is wanted: retention took it.
CatchupWants catchup_wants(const JournalState& here, const JournalState& there);

/// Everything of both.
PositionSet united(const PositionSet& one, const PositionSet& other);
/// What of `set` is not in `other`.
PositionSet without(const PositionSet& set, const PositionSet& other);
std::uint64_t count(const PositionSet& set);

/// The ranges to ask for, in order: parts no more than `gap_max` apart are one question.
std::vector<PositionRange> catchup_questions(const PositionSet& wanted, std::uint64_t gap_max);

/// What the answer to one question is worth.
struct CatchupAnswer {
  std::vector<JournalRecord> records;   ///< to be adopted, in ascending order
  PositionSet absent;                   ///< wanted, and not there although it seemed so
  Position through = 0;                 ///< goes on behind it; the end of the question: it is done
};

/// Looks through the records of a page, which come from outside: an error names what is wrong with them. A page without
/// a record says that there is nothing in the whole range. A void gives nothing where one is held already.
Result<CatchupAnswer> judge_catchup_page(std::vector<JournalRecord> records, PositionRange asked,
                                         const PositionSet& wanted, const PositionSet& voids_here);

}  // namespace legion
