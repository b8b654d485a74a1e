// What a spool keeps, and how it is asked. docs/spool-format.md has the tables of the SQLite store.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/journal.hpp>
#include <legion/event/spool_record.hpp>

namespace legion {

/// Place in the order of commits of one store: every frame gets the next number. Survives merging; not comparable
/// between stores.
using CommitNumber = std::uint64_t;

/// What a store has of one journal.
struct JournalState {
  Origin origin;
  JournalKind journal = JournalKind::Captured;
  BootId boot;                              ///< the first one seen; another's journal is refused
  std::vector<PositionRange> ranges;        ///< ascending, disjoint, not adjacent; frames and voids alike
  std::vector<PositionRange> voids;         ///< the parts of `ranges` that are voids: a frame is wanted there
  Position floor = 0;                       ///< positions up to here were trimmed by retention: not missing
  std::array<Position, 4> released{};       ///< [n-1]: up to here at least n spools have it, as the origin said
  std::optional<Position> final;            ///< the incarnation is over and ended here
};

/// A question for frames in commit order. Everything given must hold.
struct ScanQuery {
  CommitNumber from = 1;
  std::optional<CommitNumber> until{};         ///< included
  std::optional<WallTime> since{};             ///< some event of the frame has this time or a later one
  std::optional<WallTime> before{};            ///< some event of the frame is earlier than this
  std::vector<Filter> types{};                 ///< any of them; empty: all except reserved ones
  std::vector<Priority> lanes{};               ///< any of them; empty: all
  std::optional<std::string>
      correlation{};    ///< some event of the frame carries (as correlation, causation or trace id) or is this id
  std::size_t bytes_max = 1 << 20;           ///< stop after so many bytes of frames; one frame is always given
  std::size_t blocks_max = 64;               ///< look at no more blocks than this in one call (one read transaction)
};

struct StoredFrame {
  CommitNumber number = 0;
  JournalKind journal = JournalKind::Captured;
  Position position = 0;
  std::uint8_t held_for = 0;
  WallTime recorded{};   ///< commit time at this spool
  BytesView frame;       ///< valid until the next call on the reader
};

struct ScanPage {
  std::vector<StoredFrame> frames;
  CommitNumber next = 1;       ///< go on from here
  bool at_end = false;         ///< nothing that was committed before the call lies from `next` to `until`
};

/// A question for one stream in sequence order: repair.
struct StreamQuery {
  StreamId stream{};
  std::uint64_t first = 1;
  std::uint64_t last = UINT64_MAX;           ///< also behind what is stored: the last part says so
  std::size_t bytes_max = 1 << 20;
};

/// Why a store will never have an event.
enum class Never : std::uint8_t { Voided, Trimmed, NotJournalled, EndOfLife };
std::string_view to_string(Never why);  ///< "voided", "trimmed", "not_journalled", "end_of_life"

struct StreamPage {
  struct Part {
    enum class Kind : std::uint8_t { Frame, Never, Missing } kind = Kind::Frame;
    std::uint64_t first = 0;   ///< sequences first .. last; of a frame those it holds, also outside the question
    std::uint64_t last = 0;
    Never why{};               ///< of Never
    BytesView frame;           ///< of Frame; valid until the next call on the reader
  };
  std::vector<Part> parts;     ///< ascending, without holes from `first` asked for up to `next` - 1
  std::uint64_t next = 1;      ///< go on from here
  std::uint64_t stored_to = 0; ///< highest sequence of this stream this store has; 0: none
  /// Of the origin's journals, by journal_index(): everything up to there was here, and what is missing is not in it; 0
  /// where some of what is missing is in it, but not to be given. Only where a part is Missing.
  std::array<Position, 2> through{};
  std::array<Position, 2> floor{};  ///< of them too: what was trimmed lies no further. Only where a part is Trimmed

  bool has_missing() const {
    return std::ranges::any_of(parts, [](const Part& part) { return part.kind == Part::Kind::Missing; });
  }
  bool has(Never why) const {
    return std::ranges::any_of(parts,
                               [&](const Part& part) { return part.kind == Part::Kind::Never && part.why == why; });
  }
};

/// The end of a stream as stored.
struct StreamTail {
  StreamId stream;
  std::uint64_t next = 1;
};

struct StoreFigures {
  std::uint64_t frames = 0;
  std::uint64_t events = 0;
  std::uint64_t blocks = 0;
  std::uint64_t quarantined = 0;  ///< blocks whose checksum is wrong
  std::uint64_t bytes_on_disk = 0;  ///< database, WAL included
  std::uint64_t commits = 0;  ///< since it was opened
  Duration last_commit{};  ///< how long the last commit took, fsync included
  CommitNumber next_commit = 1;
  std::optional<WallTime> oldest, newest;  ///< recorded times
  std::uint64_t dead_letters = 0;  ///< in state dead
  /// Since it was opened: cursor records that counted for nothing, because a later generation was known. What somebody
  /// acknowledged who had lost his lease is among them.
  std::uint64_t stale_cursors = 0;
};

struct Damage {
  std::int64_t block = 0;
  CommitNumber first = 0, last = 0;
  std::string what;  ///< checksum, chain, unreadable, ..
};

struct VerifyReport {
  std::uint64_t blocks = 0, frames = 0, events = 0;
  std::vector<Damage> damage;
  std::vector<std::pair<std::string, PositionRange>>
      holes;  ///< "node:incarnation:journal" and the positions that are missing
  std::array<std::uint8_t, 32> chain{};  ///< BLAKE2b over the frames in commit order, as of the end
};

/// Thread: a reader of its own for each thread. Holds a read transaction only inside a call.
class StoreReader {
 public:
  virtual ~StoreReader() = default;
  virtual Result<ScanPage> scan(const ScanQuery& query) = 0;
  virtual Result<StreamPage> read_stream(const StreamQuery& query) = 0;
  /// Records of a journal in position order, for another spool: frames and voids.
  virtual Result<std::vector<JournalRecord>> read_journal(const Origin& origin, JournalKind journal,
                                                          PositionRange range, std::size_t bytes_max) = 0;
  /// Streams in the order of StreamId behind `after`, at most `max`.
  virtual Result<std::vector<StreamTail>> tails(const Filter& filter, const std::optional<StreamId>& after,
                                                std::size_t max) = 0;
  /// The first commit number whose recorded time is at or after `time`; nothing: beyond the end.
  virtual Result<std::optional<CommitNumber>> at(WallTime time) = 0;
  virtual Result<std::optional<CommitNumber>> find(const EventId& event) = 0;

  virtual Result<std::vector<CursorState>> cursors() = 0;
  virtual Result<std::optional<CursorState>> cursor(std::string_view subscription) = 0;
  virtual Result<std::vector<AttemptRecord>> attempts(std::string_view subscription) = 0;
  /// In the order of LetterRecord::key behind `after`.
  virtual Result<std::vector<LetterRecord>> letters(const LetterQuery& query) = 0;
  virtual Result<std::vector<std::pair<std::string, CommitNumber>>> marks() = 0;

  enum class Depth : std::uint8_t { Checksums, Full };  ///< Full: decodes every frame and recomputes the chain
  virtual Result<VerifyReport> verify(Depth depth,
                                      const std::function<bool(std::uint64_t done, std::uint64_t all)>& go_on) = 0;
};

struct RetentionPolicy {
  std::optional<Duration> retain_for{};
  std::optional<std::uint64_t> retain_bytes{};
  enum class Cursors : std::uint8_t { Respect, Ignore } cursors = Cursors::Respect;  ///< retention_force
  friend bool operator==(const RetentionPolicy&, const RetentionPolicy&) = default;
};

/// A store of journal records.
///
/// Thread: the writing half from one thread at a time; open_reader() and figures() from any. Errors: Io after which the
/// store is frozen: every further write answers Io with the first reason, and what was acknowledged before stays true.
class Store {
 public:
  virtual ~Store() = default;

  virtual const StoreId& id() const = 0;

  /// Makes the records durable in one transaction: when it answers without an error, fsync has returned for all of
  /// them. Positions that are there already are skipped; a frame takes the place of a void; the records of one journal
  /// come in ascending order but may leave holes. `~record` frames update cursors, attempts and letters in the same
  /// transaction.
  virtual Result<void> append(std::span<const JournalRecord> records, WallTime now) = 0;
  /// Binds (name, incarnation) to the first boot id it is told. Errors: Refused.
  virtual Result<void> bind(const Origin& origin, const BootId& boot) = 0;
  /// As the origin says: at least `spools` spools have every position up to `through`.
  virtual Result<void> set_released(const Origin& origin, JournalKind journal, std::uint8_t spools,
                                    Position through) = 0;
  /// The incarnation is over: its goodbye, with the final positions.
  virtual Result<void> set_final(const Origin& origin, Position confirmed, Position captured) = 0;
  /// Retention took everything up to `through` wherever it was: it will not come, and is not missing. What is here
  /// stays.
  virtual Result<void> set_floor(const Origin& origin, JournalKind journal, Position through) = 0;
  virtual Result<void> mark(const std::string& name, WallTime now) = 0;

  /// A bounded piece of housekeeping: merges small blocks, trims by retention, checkpoints. Returns whether more waits.
  virtual Result<bool> maintain(WallTime now, const RetentionPolicy& retention) = 0;
  /// A consistent copy while writing goes on. Errors: Io (the target exists, no room).
  virtual Result<void> backup(const std::string& path) = 0;

  virtual std::vector<JournalState> journals() const = 0;
  virtual StoreFigures figures() const = 0;
  virtual std::optional<std::string> frozen() const = 0;  ///< why nothing is confirmed any more

  virtual Result<std::unique_ptr<StoreReader>> open_reader() = 0;
};

}  // namespace legion
