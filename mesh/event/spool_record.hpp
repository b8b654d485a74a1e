// What consumers keep in the spools: cursors, attempts and dead letters, as events of the reserved type `~record`.
// Wire form: docs/protocol.md, "Records".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>
#include <legion/event/journal.hpp>

namespace legion {

/// The reserved type records travel under: high lane, confirmed journal, never on an XPUB.
inline constexpr std::string_view record_type = "~record";

/// [a-z0-9._-]{1,64}: how a durable subscription may be called.
bool is_subscription_name(std::string_view name);

/// A life of a cursor. The higher one wins whole.
struct CursorGeneration {
  std::uint64_t counter = 0;
  std::string node;
  friend auto operator<=>(const CursorGeneration&, const CursorGeneration&) = default;
};

/// How far a durable subscription is in one stream.
struct StreamCursor {
  StreamId stream;
  std::uint64_t done = 0;                            ///< every sequence up to here is done
  /// Done beyond it: [first, last], ascending, at most limits::cursor_ahead_max sequences.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ahead;
  friend bool operator==(const StreamCursor&, const StreamCursor&) = default;
};

/// Of one durable subscription; streams that did not move are left out except of form Whole. Where the streams of a Whole
/// need more than one record, Deltas of the same generation come before it, so a generation without a Whole is
/// one whose beginning was cut short.
struct CursorRecord {
  std::string subscription;
  CursorGeneration generation;
  std::string filter;                  ///< "trade.", as configured
  enum class Form : std::uint8_t { Delta, Whole, Removed } form = Form::Delta;
  std::vector<StreamCursor> streams;
  friend bool operator==(const CursorRecord&, const CursorRecord&) = default;
};

/// What a store makes of all CursorRecords of one subscription: the highest generation, within it the maximum.
struct CursorState {
  CursorRecord merged;                 ///< form Whole (or Removed); Delta: no Whole of this generation was seen
  WallTime updated{};
  Origin by;                           ///< whose journal the last one came in
};

/// Written before every hand-over from the second on.
struct AttemptRecord {
  std::string subscription;
  std::string event;                   ///< id
  std::uint32_t attempts = 0;          ///< hand-overs made, this one included
  std::string error;                   ///< of the last failure
  WallTime first{}, last{};
  friend bool operator==(const AttemptRecord&, const AttemptRecord&) = default;
};

enum class LetterState : std::uint8_t { Dead = 0, Requeued = 1, Resolved = 2, Purged = 3 };
std::string_view to_string(LetterState state);  ///< "dead", "requeued", "resolved", "purged"

/// How one delivery ended badly, as dead letters list it.
struct LetterDeath {
  std::string agent;                   ///< node/agent
  std::string reason;                  ///< handler_error, gate_failed, rejected, expired, undecodable, schema,
                                       ///< unknown_version
  std::uint32_t attempts = 0;
  std::string error;                   ///< at most limits::error_text_bytes_max
  WallTime first{}, last{};
  friend bool operator==(const LetterDeath&, const LetterDeath&) = default;
};

/// One dead letter, or what became of it. Which record of a key holds: holds_over().
struct LetterRecord {
  std::string event;                   ///< id of the event
  std::string agent;                   ///< node/agent that failed
  std::string subscription;            ///< durable name, or "" of a plain one
  std::uint32_t round = 1;             ///< how often it died
  LetterState state = LetterState::Dead;
  std::uint32_t requeues = 0;
  std::uint32_t attempts = 0;          ///< of state Requeued: hand-overs of this requeue, the one about to be made included
  std::vector<LetterDeath> deaths;     ///< oldest first; of state Dead
  Bytes frame;                         ///< of state Dead: a frame of this one event, untouched
  std::string key() const { return event + ' ' + agent; }
  friend bool operator==(const LetterRecord&, const LetterRecord&) = default;
};

struct LetterQuery {
  std::optional<std::string> type;     ///< a filter: exact type, family, *
  std::optional<std::string> agent;    ///< node/agent or agent
  std::optional<std::string> reason;
  std::optional<LetterState> state;
  std::optional<WallTime> since, before;  ///< of the last death
  std::optional<std::string> event;    ///< id
  std::string after;                   ///< LetterRecord::key
  std::size_t max = 100;
  enum class Payload : std::uint8_t { Without, With } payload = Payload::With;
};

using SpoolRecord = std::variant<CursorRecord, AttemptRecord, LetterRecord>;

/// The higher one holds: the higher round, then purged > resolved > requeued > dead, then the one with more attempts.
inline bool holds_over(const LetterRecord& record, const LetterRecord& other) {
  return std::tuple(record.round, record.state, record.attempts) > std::tuple(other.round, other.state, other.attempts);
}

/// Takes up a further record of the same subscription: the higher generation wins whole, within one each stream has the
/// highest `done` and the union of `ahead`. Afterwards `state` has its streams in the order of StreamId and the form
/// Whole, or Removed, or Delta while no Whole of its generation was seen.
void merge(CursorRecord& state, const CursorRecord& record);

/// The data of a `~record` event (a MessagePack map). Error texts are cut at limits::error_text_bytes_max and what is not
/// UTF-8 in them is escaped; of more than limits::letter_deaths_max deaths the newest are kept.
/// Bounds: letters and attempts fit an event of limits::record_bytes_max; of a cursor the caller sees to it, with
/// record_cost() and limits::record_streams_max.
Bytes encode(const SpoolRecord& record);
/// Bytes this stream takes in a record at most.
std::size_t record_cost(const StreamCursor& cursor);
/// Errors: BadData naming the member. Kinds of later versions: NotFound. Members of later versions are skipped.
Result<SpoolRecord> decode_spool_record(BytesView data);

}  // namespace legion
