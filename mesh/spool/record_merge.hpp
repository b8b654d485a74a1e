// What a store makes of `~record` events that arrive in any order: pure functions that every store uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/spool_record.hpp>

namespace legion::spool {

/// A record with what its event says about it.
struct StampedRecord {
  SpoolRecord record;
  WallTime time{};
};
/// The records of a frame. What does not decode, and kinds of later versions, are left out.
std::vector<StampedRecord> records_of(BytesView frame);

/// Whether `sequence` is done.
bool is_done(const StreamCursor& cursor, std::uint64_t sequence);
/// merge(CursorRecord&, ..) for one stream: `into` takes up what `other` says of the same one.
void merge(StreamCursor& into, const StreamCursor& other);
/// Whether merge() would change nothing.
bool covers(const StreamCursor& cursor, const StreamCursor& other);

/// What a record does to the state of its subscription: a higher generation replaces it, an equal one is merged into
/// it, a lower one is nothing.
enum class CursorEffect : std::uint8_t { Ignored, Merged, Replaced };
/// `into` is empty before the first record.
CursorEffect merge(std::optional<CursorState>& into, const CursorRecord& record, WallTime time, const Origin& by);

/// The higher number of attempts stays. False when nothing changed.
bool merge(AttemptRecord& into, const AttemptRecord& record);

/// What is kept of a letter: the record that holds, with deaths and frame of the last death known. A purged one keeps
/// no frame.
struct KeptLetter {
  LetterRecord record;
  std::uint32_t death_round = 0;  ///< the round that deaths and frame are of; 0: none known yet
};
/// False when nothing changed.
bool merge(std::optional<KeptLetter>& into, const LetterRecord& record);

/// A LetterQuery, looked through once. Errors: InvalidArgument (type).
class LetterChoice {
 public:
  static Result<LetterChoice> of(const LetterQuery& query);
  bool matches(const LetterRecord& letter) const;

 private:
  explicit LetterChoice(const LetterQuery& query) : query_(&query) {}
  const LetterQuery* query_;
  std::optional<Filter> type_;
};

}  // namespace legion::spool
