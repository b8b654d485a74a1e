// G6: what a consumer writes first is never missing where the later is: a letter stands before the cursor that passes
// its event.
#include <algorithm>
#include <map>

#include "checks.hpp"

namespace legion::sim {

namespace {

bool passes(const CursorRecord& cursor, const StreamId& stream, std::uint64_t sequence) {
  const auto found = std::ranges::find(cursor.streams, stream, &StreamCursor::stream);
  if (found == cursor.streams.end()) return false;
  return sequence <= found->done || std::ranges::any_of(found->ahead, [&](const auto& range) {
           return range.first <= sequence && sequence <= range.second;
         });
}

/// Of one life of a consumer, in the order of its journal.
void judge(const Evidence& evidence, const std::vector<SpoolRecord>& records, Violations& violations) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto* letter = std::get_if<LetterRecord>(&records[i]);
    if (letter == nullptr || letter->state != LetterState::Dead || letter->round != 1 || letter->subscription.empty())
      continue;
    const auto id = EventId::parse(letter->event);
    if (!id) continue;
    const StreamId stream{{id->node, id->incarnation}, id->lane, id->type, id->shard};
    std::optional<CursorGeneration> in_force;
    bool passed = false;
    for (std::size_t k = i; k-- > 0;) {
      // What was under way when the cursor was reset may die once more, after it came again and died.
      const auto* earlier = std::get_if<LetterRecord>(&records[k]);
      if (earlier != nullptr && earlier->key() == letter->key() && earlier->subscription == letter->subscription) {
        passed = false;
        break;
      }
      const auto* cursor = std::get_if<CursorRecord>(&records[k]);
      if (cursor == nullptr || cursor->subscription != letter->subscription) continue;
      if (!in_force) in_force = cursor->generation;
      if (cursor->generation != *in_force) break;
      passed = passed || passes(*cursor, stream, id->sequence);
    }
    if (!passed || violations.size() >= violations_per_check_max) continue;
    violations.push_back({"G6 records", "the cursor of " + letter->subscription +
                                            " passed an event before its letter was written\n" +
                                            evidence.history.story(evidence.history.place_of(*id))});
  }
}

}  // namespace

void check_records(const Evidence& evidence, Violations& violations) {
  for (const StoreContents& store : evidence.stores) {
    for (const auto& [origin, records] : store.records) judge(evidence, records, violations);
  }
}

}  // namespace legion::sim
