#include <legion/spool/sqlite_state.hpp>

#include <algorithm>
#include <cstring>

#include <sqlite3.h>

#include <legion/spool/sqlite_recovery.hpp>
#include <legion/spool/varint.hpp>

namespace legion::spool {
namespace {

constexpr std::uint64_t head_version = 1;
constexpr std::uint64_t log_frame_bytes = 24;  // before each page in the log

int note_log_pages(void* state, sqlite3*, const char*, int pages) {
  static_cast<WriterState*>(state)->log_pages = static_cast<std::uint64_t>(pages);
  return SQLITE_OK;
}

}  // namespace

void StoreHead::count(const SealedBlock& block) {
  frames += block.frames;
  events += block.events;
  body_bytes += block.data.size() + block.bloom.size();
  ++blocks;
}

void StoreHead::uncount(const SealedBlock& block, std::uint64_t stored_bytes) {
  frames -= block.frames;
  events -= block.events;
  body_bytes -= stored_bytes;
  --blocks;
}

Bytes encode(const StoreHead& head) {
  Bytes out;
  for (const std::uint64_t number : {head_version, head.replay_from, head.next, head.frames, head.events, head.blocks,
                                     head.quarantined, head.body_bytes, head.merge_from}) {
    put_varint(out, number);
  }
  out.insert(out.end(), head.chain.begin(), head.chain.end());
  return out;
}

Result<StoreHead> decode_head(BytesView bytes) {
  VarintReader in(bytes);
  StoreHead head;
  const std::uint64_t version = in.number();
  for (std::uint64_t* number : {&head.replay_from, &head.next, &head.frames, &head.events, &head.blocks,
                                &head.quarantined, &head.body_bytes, &head.merge_from}) {
    *number = in.number();
  }
  const BytesView chain = in.bytes(head.chain.size());
  if (!in.at_end() || version != head_version) return fail(ErrorCode::BadData, "meta.state does not decode");
  std::ranges::copy(chain, head.chain.begin());
  return head;
}

WriterQueries::WriterQueries(SQLite::Database& d)
    : put_meta(d, "INSERT OR REPLACE INTO meta VALUES(?, ?)"),
      put_origin(d, "INSERT INTO origin(node, incarnation) VALUES(?, ?) RETURNING id"),
      bind_origin(d, "UPDATE origin SET boot = ? WHERE id = ?"),
      finish_origin(d, "UPDATE origin SET final_confirmed = ?, final_captured = ? WHERE id = ?"),
      put_journal(d, "INSERT OR REPLACE INTO journal VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      find_stream(d,
                  "SELECT id FROM stream WHERE node = ? AND incarnation = ? AND lane = ? AND type = ? AND shard = ?"),
      put_stream(d,
                 "INSERT INTO stream(node, incarnation, lane, type, shard, trimmed) VALUES(?, ?, ?, ?, ?, 0)"
                 " RETURNING id"),
      trim_stream(d, "UPDATE stream SET trimmed = max(trimmed, ?) WHERE id = ?"),
      put_block(d, "INSERT INTO block VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      put_body(d, "INSERT INTO body VALUES(?, ?, ?)"),
      remove_block(d, "DELETE FROM block WHERE first = ?"),
      remove_body(d, "DELETE FROM body WHERE block = ?"),
      flag_block(d, "UPDATE block SET flags = flags | ? WHERE first = ?"),
      put_span(d, "INSERT OR REPLACE INTO span VALUES(?, ?, ?, ?, ?, ?, ?)"),
      remove_span(d, "DELETE FROM span WHERE stream = ? AND first = ? AND block = ?"),
      put_position(d, "INSERT OR REPLACE INTO position VALUES(?, ?, ?, ?)"),
      remove_position(d, "DELETE FROM position WHERE journal = ? AND first = ?"),
      blocks_from(d, "SELECT " LEGION_BLOCK_COLUMNS " FROM block WHERE first >= ? ORDER BY first"),
      block_at(d, "SELECT " LEGION_BLOCK_COLUMNS " FROM block WHERE first = ?"),
      body(d, select_body),
      remove_spans_of_block(d, "DELETE FROM span WHERE block = ?"),
      remove_positions_of_block(d, "DELETE FROM position WHERE block = ?"),
      positions_of_block(d, "SELECT journal, first, last FROM position WHERE block = ?"),
      position_of_block(d, "SELECT 1 FROM position WHERE journal = ? AND first = ? AND last = ? AND block = ?"),
      positions_up_to(d, "SELECT first, last FROM position WHERE journal = ? AND first <= ? ORDER BY first"),
      put_void(d, "INSERT INTO void VALUES(?, ?, ?, ?)"),
      void_at(d, "SELECT first, last, spans FROM void WHERE journal = ? AND first <= ? ORDER BY first DESC LIMIT 1"),
      remove_void(d, "DELETE FROM void WHERE journal = ? AND first = ?"),
      remove_voids_up_to(d, "DELETE FROM void WHERE journal = ? AND last <= ?"),
      void_span_before(d,
                       "SELECT first, last, position FROM void_span WHERE stream = ? AND journal = ? AND first <= ?"
                       " ORDER BY first DESC LIMIT 1"),
      remove_void_span(d, "DELETE FROM void_span WHERE stream = ? AND journal = ? AND first = ?"),
      put_void_span(d, "INSERT OR REPLACE INTO void_span VALUES(?, ?, ?, ?, ?)"),
      remove_void_spans_up_to(d, "DELETE FROM void_span WHERE journal = ? AND position <= ?"),
      put_mark(d, "INSERT OR REPLACE INTO mark VALUES(?, ?, ?)") {}

WriterState::WriterState(std::string path_given, SqliteStore::Options options_given, SQLite::Database database_given,
                         SharedFiguresPtr shared_given)
    : path(std::move(path_given)),
      options(std::move(options_given)),
      shared(std::move(shared_given)),
      database(std::move(database_given)),
      sql(database),
      records(database) {
  sqlite3_wal_hook(database.getHandle(), note_log_pages, this);
}

Result<void> writable(const WriterState& state) {
  if (state.options.mode == SqliteStore::Mode::ReadOnly) {
    return fail(ErrorCode::Refused, "the store " + state.path + " is open for reading only");
  }
  if (const std::string* reason = state.shared->frozen()) return fail(ErrorCode::Io, *reason);
  return {};
}

void freeze(WriterState& state, const Error& error) {
  // SQLite says only that it failed.
  const int reason = error.code == ErrorCode::Io ? sqlite3_system_errno(state.database.getHandle()) : 0;
  state.shared->freeze(reason == 0 ? error.message : error.message + ": " + std::strerror(reason));
  if (error.code == ErrorCode::BadData) mark_suspect(state.path);
  keep_log_on_close(state.database);
}

Result<void> write(WriterState& state, const std::string& what, Sync sync, const std::function<void()>& change) {
  if (auto ok = writable(state); !ok) return ok;
  const auto now = [&] { return state.options.clock ? state.options.clock() : SteadyTime{}; };
  const SteadyTime begin = now();
  const bool begins_log = state.is_log_fresh;
  const auto done = guarded("cannot " + what + " " + state.path, [&]() -> Result<void> {
    state.database.exec(sync == Sync::Now ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    SQLite::Transaction transaction(state.database, SQLite::TransactionBehavior::IMMEDIATE);
    if (begins_log) state.sql.put_meta.run("base", state.copies);
    change();
    transaction.commit();
    return {};
  });
  if (!done) {
    freeze(state, done.error());
    return fail(ErrorCode::Io, *state.shared->frozen());
  }
  state.is_log_fresh = false;
  if (sync == Sync::Now) {
    state.shared->commits.fetch_add(1, std::memory_order_relaxed);
    state.shared->last_commit_ns = (now() - begin).count();
  }
  publish_figures(state);
  return {};
}

void publish_figures(WriterState& state) {
  SharedFigures& shared = *state.shared;
  shared.frames = state.head.frames;
  shared.events = state.head.events;
  shared.blocks = state.head.blocks;
  shared.quarantined = state.head.quarantined;
  shared.next_commit = state.head.next;
  shared.bytes_on_disk = state.database_bytes + state.log_pages * (state.options.page_bytes + log_frame_bytes);
}

OriginBook& origin_book(WriterState& state, const Origin& origin) {
  const auto found = state.books.find(origin);
  if (found != state.books.end()) return found->second;
  OriginBook book;
  {
    Rows rows = state.sql.put_origin.rows(origin.node, origin.incarnation);
    rows.next();
    book.row = rows.number(0);
  }
  book.origin = origin;
  for (const JournalKind kind : all_journals) {
    book.of(kind).row = journal_row(book.row, kind);
    save_journal(state, book.of(kind));
  }
  return state.books.emplace(origin, std::move(book)).first->second;
}

void save_journal(WriterState& state, JournalBook& journal) {
  const auto& released = journal.released;
  state.sql.put_journal.run(journal.row, journal.row / 2, journal.floor, released[0], released[1], released[2],
                            released[3], journal.through(), encode(journal.held.ranges()));
  journal.is_unsaved = false;
}

RowId stream_row(WriterState& state, OriginBook& book, Priority lane, std::string_view topic) {
  StreamRows& known = book.streams[lane_index(lane)];
  if (const auto found = known.find(topic); found != known.end()) return found->second;
  if (known.size() >= limits::streams_per_origin_max) known.clear();
  const std::string_view type = topic.substr(0, topic.size() - 2);
  const auto shard = static_cast<std::uint8_t>(topic.back());
  RowId row = 0;
  {
    Rows rows = state.sql.find_stream.rows(book.origin.node, book.origin.incarnation, lane_index(lane), type, shard);
    if (rows.next()) row = rows.number(0);
  }
  if (row == 0) {
    Rows rows = state.sql.put_stream.rows(book.origin.node, book.origin.incarnation, lane_index(lane), type, shard);
    rows.next();
    row = rows.number(0);
  }
  known.emplace(topic, row);
  return row;
}

void insert_block(WriterState& state, const SealedBlock& block) {
  state.sql.put_block.run(block.first, block.last, block.frames, block.events, block.content_bytes,
                          block.data.size() + block.bloom.size(), block.times.min, block.times.max, block.recorded.min,
                          block.recorded.max, block.lanes, block.flags, block.checksum, block.chain_before,
                          block.chain_after, block.encoded_contents);
  state.sql.put_body.run(block.first, block.bloom, block.data);
  for (const BlockSpan& span : block.contents.spans) {
    state.sql.put_span.run(span.stream, span.first, span.last, block.first, span.journal, span.position_first,
                           span.position_last);
  }
  for (const BlockPositions& run : block.contents.positions) {
    state.sql.put_position.run(run.journal, run.range.first, run.range.last, block.first);
  }
  state.head.count(block);
}

void remove_index(WriterState& state, const BlockRow& row) {
  const auto contents = decode_contents(row.encoded_contents);
  if (!contents) {
    state.sql.remove_spans_of_block.run(row.first);
    state.sql.remove_positions_of_block.run(row.first);
    return;
  }
  for (const BlockSpan& span : contents->spans) state.sql.remove_span.run(span.stream, span.first, row.first);
  for (const BlockPositions& run : contents->positions) {
    state.sql.remove_position.run(run.journal, run.range.first);
  }
}

void remove_block(WriterState& state, const BlockRow& row) {
  remove_index(state, row);
  state.sql.remove_block.run(row.first);
  state.sql.remove_body.run(row.first);
  state.head.uncount(row, row.stored_bytes);
}

}  // namespace legion::spool
