#include <legion/spool/catchup_plan.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace legion {

bool CatchupWants::reach_down_to(Position position) const {
  const auto reaches = [position](const PositionSet& set) {
    return !set.empty() && set.ranges().front().first <= position;
  };
  return reaches(holes) || reaches(end) || reaches(voids);
}

Position contiguous_through(const JournalState& journal) {
  return PositionSet(journal.ranges).contiguous_from(journal.floor);
}

CatchupWants catchup_wants(const JournalState& here, const JournalState& there) {
  CatchupWants wants;
  const PositionSet held(here.ranges);
  const Position last = std::max(held.last(), here.floor);
  for (const PositionRange& range : there.ranges) {
    if (range.last <= here.floor) continue;
    for (const PositionRange& missing : held.missing({std::max(range.first, here.floor + 1), range.last})) {
      if (missing.first <= last) wants.holes.add({missing.first, std::min(missing.last, last)});
      if (missing.last > last) wants.end.add({std::max(missing.first, last + 1), missing.last});
    }
  }
  if (here.voids.empty()) return wants;
  const PositionSet held_there(there.ranges);
  const PositionSet voids_there(there.voids);
  for (const PositionRange& range : here.voids) {
    for (const PositionRange& common : held_there.common(range)) wants.voids.add(voids_there.missing(common));
  }
  return wants;
}

PositionSet united(const PositionSet& one, const PositionSet& other) {
  PositionSet all = one;
  all.add(other.ranges());
  return all;
}

PositionSet without(const PositionSet& set, const PositionSet& other) {
  PositionSet rest;
  for (const PositionRange& range : set.ranges()) rest.add(other.missing(range));
  return rest;
}

std::uint64_t count(const PositionSet& set) {
  std::uint64_t positions = 0;
  for (const PositionRange& range : set.ranges()) positions += range.last - range.first + 1;
  return positions;
}

std::vector<PositionRange> catchup_questions(const PositionSet& wanted, std::uint64_t gap_max) {
  std::vector<PositionRange> questions;
  for (const PositionRange& range : wanted.ranges()) {
    if (!questions.empty() && range.first - questions.back().last - 1 <= gap_max) {
      questions.back().last = range.last;
    } else {
      questions.push_back(range);
    }
  }
  return questions;
}

Result<CatchupAnswer> judge_catchup_page(std::vector<JournalRecord> records, PositionRange asked,
                                         const PositionSet& wanted, const PositionSet& voids_here) {
  CatchupAnswer answer;
  answer.through = records.empty() ? asked.last : 0;
  PositionSet given;
  for (JournalRecord& record : records) {
    const bool fits = record.first > answer.through && record.first >= asked.first && record.last <= asked.last &&
                      record.first <= record.last;
    if (!fits) {
      return fail(ErrorCode::BadData, "records " + std::to_string(record.first) + ".." + std::to_string(record.last) +
                                          " do not answer " + std::to_string(asked.first) + ".." +
                                          std::to_string(asked.last));
    }
    answer.through = record.last;
    const PositionRange range{record.first, record.last};
    std::vector<PositionRange> parts = wanted.common(range);
    if (record.is_void()) {
      std::vector<PositionRange> fresh;
      for (const PositionRange& part : parts) std::ranges::move(voids_here.missing(part), std::back_inserter(fresh));
      parts = std::move(fresh);
    }
    if (parts.empty()) continue;
    given.add(parts);
    answer.records.push_back(std::move(record));
  }
  for (const PositionRange& range : wanted.common({asked.first, answer.through})) {
    answer.absent.add(given.missing(range));
  }
  return answer;
}

}  // namespace legion
