// The writing half of the SQLite store. Internal to this layer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/spool/block_builder.hpp>
#include <legion/spool/block_rows.hpp>
#include <legion/spool/database.hpp>
#include <legion/spool/journal_books.hpp>
#include <legion/spool/record_tables.hpp>
#include <legion/spool/shared_figures.hpp>
#include <legion/spool/sqlite_store.hpp>
#include <legion/spool/store_lock.hpp>

namespace legion::spool {

/// meta.state.
struct StoreHead {
  CommitNumber replay_from = 1;  ///< what blocks from here on hold is not in journal.held yet, nor counted below
  CommitNumber next = 1;
  std::uint64_t frames = 0, events = 0, blocks = 0, quarantined = 0, body_bytes = 0;
  CommitNumber merge_from = 1;   ///< no block before it can be merged
  Digest chain{};
  void count(const SealedBlock& block);
  void uncount(const SealedBlock& block, std::uint64_t stored_bytes);
};
Bytes encode(const StoreHead& head);
/// Errors: BadData.
Result<StoreHead> decode_head(BytesView bytes);

struct WriterQueries {
  explicit WriterQueries(SQLite::Database& database);
  Query put_meta, put_origin, bind_origin, finish_origin, put_journal;
  Query find_stream, put_stream, trim_stream;
  Query put_block, put_body, remove_block, remove_body, flag_block, put_span, remove_span, put_position,
      remove_position;
  Query blocks_from, block_at, body, remove_spans_of_block, remove_positions_of_block, positions_of_block,
      position_of_block, positions_up_to;
  Query put_void, void_at, remove_void, remove_voids_up_to, void_span_before, remove_void_span, put_void_span,
      remove_void_spans_up_to;
  Query put_mark;
};

/// Whether a commit is on disk when it returns, or only when a later one is.
enum class Sync : std::uint8_t { Now, WithTheNext };

/// Everything the writing half holds. Thread: the writing half's.
struct WriterState {
  WriterState(std::string path_given, SqliteStore::Options options_given, SQLite::Database database_given,
              SharedFiguresPtr shared_given);

  std::string path;
  SqliteStore::Options options;
  SharedFiguresPtr shared;
  SQLite::Database database;
  WriterQueries sql;
  RecordTablesWriter records;
  BlockBuilder builder;
  StoreId id;
  StoreHead head;
  JournalBooks books;
  std::int64_t copies = 0;           ///< meta.copies
  bool is_log_fresh = true;          ///< nothing was written since everything in the log was copied back
  std::uint64_t log_pages = 0;       ///< in the write-ahead log
  std::uint64_t database_bytes = 0;  ///< without the log
  Bytes saved_head;
  // What retention last looked at, so that it does not look again at what cannot have changed.
  WallTime retention_looked{};
  RetentionPolicy retention{};
  bool is_retention_due = true;
};

/// Runs `change` in one transaction. Errors: Io, and the store is then frozen; or the reason why it is.
Result<void> write(WriterState& state, const std::string& what, Sync sync, const std::function<void()>& change);
Result<void> writable(const WriterState& state);
void freeze(WriterState& state, const Error& error);
void publish_figures(WriterState& state);

// What follows throws SQLite::Exception; what writes runs inside write().

/// Reads head and books. Errors: BadData.
Result<void> load(WriterState& state);
/// Oldest and newest.
void load_times(WriterState& state);
/// The head and every journal that changed: then nothing is to be replayed.
void save(WriterState& state);

OriginBook& origin_book(WriterState& state, const Origin& origin);
void save_journal(WriterState& state, JournalBook& journal);
/// The row of a stream, made when there is none. `topic`: type, NUL, shard.
RowId stream_row(WriterState& state, OriginBook& book, Priority lane, std::string_view topic);

void insert_block(WriterState& state, const SealedBlock& block);
/// Removes the rows that lead to a block, not the block.
void remove_index(WriterState& state, const BlockRow& row);
void remove_block(WriterState& state, const BlockRow& row);

}  // namespace legion::spool

namespace legion {

struct SqliteStore::State {
  std::optional<spool::StoreLock> lock;
  std::vector<std::string> findings;
  // With the readers, which may outlive the store.
  spool::SharedFiguresPtr shared;
  std::unique_ptr<spool::WriterState> writer;
  std::vector<JournalState> journals_read_only;
};

}  // namespace legion
