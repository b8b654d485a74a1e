// The reading half of the SQLite store. Internal to this layer.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <legion/spool/block_rows.hpp>
#include <legion/spool/database.hpp>
#include <legion/spool/record_tables.hpp>
#include <legion/spool/shared_figures.hpp>
#include <legion/spool/store.hpp>

namespace legion::spool {

/// Shared because the frames of the last answer and the cache both point into it.
using LoadedBlockPtr = std::shared_ptr<const LoadedBlock>;

/// Loads blocks, remembers the last few, and reports damaged ones to the writing half.
class BlockCache {
 public:
  BlockCache(SQLite::Database& database, SharedFiguresPtr shared);
  /// Null: damaged or quarantined, and reported. Throws SQLite::Exception.
  LoadedBlockPtr get(BlockRow row);
  LoadedBlockPtr get(CommitNumber first);

 private:
  SharedFiguresPtr shared_;
  Query body_, block_at_;
  std::deque<LoadedBlockPtr> recent_;
};

struct ReaderQueries {
  explicit ReaderQueries(SQLite::Database& database);
  // blocks
  Query block_before, blocks_from, block_recorded_since, filter;
  // streams
  Query stream, streams_behind, stream_by_row, span_before, span_behind, void_span_before, void_span_behind,
      last_void_span;
  // origins and journals
  Query origin, later_life, journal, positions_from, position_before, voids_from, void_before, last_position, last_void;
  Query marks;
};

/// Everything a reader holds. Thread: the reader's.
struct ReaderState {
  ReaderState(SQLite::Database database_given, SharedFiguresPtr shared_given);

  SharedFiguresPtr shared;
  SQLite::Database database;
  ReaderQueries sql;
  RecordTables records;
  BlockCache blocks;
  // What the last answer points into.
  std::vector<LoadedBlockPtr> held_blocks;
  std::deque<Bytes> held_frames;

  const StreamId* stream_of(RowId row);
  std::unordered_map<RowId, StreamId> streams;
};

// The answers, each in a file of its own. Each holds a read transaction for its own length.
Result<ScanPage> scan(ReaderState& state, const ScanQuery& query);
Result<StreamPage> read_stream(ReaderState& state, const StreamQuery& query);
Result<std::vector<JournalRecord>> read_journal(ReaderState& state, const Origin& origin, JournalKind journal,
                                                PositionRange range, std::size_t bytes_max);
Result<std::vector<StreamTail>> tails(ReaderState& state, const Filter& filter, const std::optional<StreamId>& after,
                                      std::size_t max);
Result<std::optional<CommitNumber>> at(ReaderState& state, WallTime time);
Result<std::optional<CommitNumber>> find(ReaderState& state, const EventId& event);
Result<VerifyReport> verify(ReaderState& state, StoreReader::Depth depth,
                            const std::function<bool(std::uint64_t done, std::uint64_t all)>& go_on);

/// A reader on a connection of its own.
class SqliteReader final : public StoreReader {
 public:
  SqliteReader(SQLite::Database database, SharedFiguresPtr shared) : state_(std::move(database), std::move(shared)) {}
  Result<ScanPage> scan(const ScanQuery& query) override;
  Result<StreamPage> read_stream(const StreamQuery& query) override;
  Result<std::vector<JournalRecord>> read_journal(const Origin& origin, JournalKind journal, PositionRange range,
                                                  std::size_t bytes_max) override;
  Result<std::vector<StreamTail>> tails(const Filter& filter, const std::optional<StreamId>& after,
                                        std::size_t max) override;
  Result<std::optional<CommitNumber>> at(WallTime time) override;
  Result<std::optional<CommitNumber>> find(const EventId& event) override;
  Result<std::vector<CursorState>> cursors() override;
  Result<std::optional<CursorState>> cursor(std::string_view subscription) override;
  Result<std::vector<AttemptRecord>> attempts(std::string_view subscription) override;
  Result<std::vector<LetterRecord>> letters(const LetterQuery& query) override;
  Result<std::vector<std::pair<std::string, CommitNumber>>> marks() override;
  Result<VerifyReport> verify(Depth depth, const std::function<bool(std::uint64_t, std::uint64_t)>& go_on) override;

 private:
  ReaderState state_;
};

}  // namespace legion::spool
