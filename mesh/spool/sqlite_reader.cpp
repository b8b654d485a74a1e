#include <legion/spool/sqlite_reader.hpp>

#include <algorithm>

namespace legion::spool {
namespace {

constexpr std::size_t recent_blocks_max = 4;

#define LEGION_SPAN_COLUMNS "first, last, block, journal, position_first, position_last"

}  // namespace

BlockCache::BlockCache(SQLite::Database& database, SharedFiguresPtr shared)
    : shared_(std::move(shared)),
      body_(database, select_body),
      block_at_(database, "SELECT " LEGION_BLOCK_COLUMNS " FROM block WHERE first = ?") {}

LoadedBlockPtr BlockCache::get(BlockRow row) {
  if (row.has(block_quarantined)) return nullptr;
  // A merged block begins where the first of its parts did: only the checksum tells them apart.
  const auto known = std::ranges::find_if(recent_, [&](const LoadedBlockPtr& block) {
    return block->row.first == row.first && block->row.checksum == row.checksum;
  });
  if (known != recent_.end()) return *known;
  const CommitNumber first = row.first;
  auto loaded = load_block(body_, std::move(row));
  if (!loaded) {
    if (loaded.error().code != ErrorCode::BadData) throw SQLite::Exception(loaded.error().message);
    shared_->report_damage(first);
    return nullptr;
  }
  if (recent_.size() >= recent_blocks_max) recent_.pop_front();
  return recent_.emplace_back(std::make_shared<const LoadedBlock>(std::move(*loaded)));
}

LoadedBlockPtr BlockCache::get(CommitNumber first) {
  BlockRow row;
  {
    Rows rows = block_at_.rows(first);
    if (!rows.next()) return nullptr;
    row = read_block_row(rows);
  }
  return get(std::move(row));
}

ReaderQueries::ReaderQueries(SQLite::Database& d)
    : block_before(d, "SELECT first FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1"),
      blocks_from(d, "SELECT " LEGION_BLOCK_COLUMNS " FROM block WHERE first >= ? ORDER BY first"),
      block_recorded_since(d, "SELECT " LEGION_BLOCK_COLUMNS
                              " FROM block WHERE recorded_max >= ? AND first >= ? ORDER BY first LIMIT 1"),
      filter(d, select_filter),
      stream(d,
             "SELECT id, trimmed FROM stream WHERE node = ? AND incarnation = ? AND lane = ? AND type = ?"
             " AND shard = ?"),
      streams_behind(d,
                     "SELECT id, node, incarnation, lane, type, shard, trimmed FROM stream"
                     " WHERE (node, incarnation, lane, type, shard) > (?, ?, ?, ?, ?)"
                     " ORDER BY node, incarnation, lane, type, shard"),
      stream_by_row(d, "SELECT node, incarnation, lane, type, shard FROM stream WHERE id = ?"),
      span_before(d, "SELECT " LEGION_SPAN_COLUMNS
                     " FROM span WHERE stream = ? AND first <= ? ORDER BY first DESC, block DESC LIMIT 1"),
      span_behind(d, "SELECT " LEGION_SPAN_COLUMNS
                     " FROM span WHERE stream = ? AND first > ? ORDER BY first LIMIT 1"),
      void_span_before(d,
                       "SELECT first, last, journal, position FROM void_span WHERE stream = ? AND first <= ?"
                       " ORDER BY first DESC LIMIT 1"),
      void_span_behind(d,
                       "SELECT first, last, journal, position FROM void_span WHERE stream = ? AND first > ?"
                       " ORDER BY first LIMIT 1"),
      last_void_span(d, "SELECT last FROM void_span WHERE stream = ? ORDER BY first DESC LIMIT 1"),
      origin(d, "SELECT id, final_confirmed, final_captured FROM origin WHERE node = ? AND incarnation = ?"),
      later_life(d, "SELECT 1 FROM origin WHERE node = ? AND incarnation > ? LIMIT 1"),
      journal(d,
              "SELECT floor, released_1, released_2, released_3, released_4, through, held FROM journal WHERE id = ?"),
      positions_from(d, "SELECT first, last, block FROM position WHERE journal = ? AND first >= ? ORDER BY first"),
      position_before(d,
                      "SELECT first, last FROM position WHERE journal = ? AND first <= ? ORDER BY first DESC LIMIT 1"),
      voids_from(d, "SELECT first, last, spans FROM void WHERE journal = ? AND first >= ? ORDER BY first"),
      void_before(d, "SELECT first, last FROM void WHERE journal = ? AND first <= ? ORDER BY first DESC LIMIT 1"),
      last_position(d, "SELECT last FROM position WHERE journal = ? ORDER BY first DESC LIMIT 1"),
      last_void(d, "SELECT last FROM void WHERE journal = ? ORDER BY first DESC LIMIT 1"),
      marks(d, "SELECT name, number FROM mark ORDER BY name") {}

ReaderState::ReaderState(SQLite::Database database_given, SharedFiguresPtr shared_given)
    : shared(std::move(shared_given)),
      database(std::move(database_given)),
      sql(database),
      records(database),
      blocks(database, shared) {}

const StreamId* ReaderState::stream_of(RowId row) {
  if (const auto known = streams.find(row); known != streams.end()) return &known->second;
  Rows rows = sql.stream_by_row.rows(row);
  if (!rows.next()) return nullptr;
  if (streams.size() >= limits::streams_per_origin_max) streams.clear();
  const auto lane = static_cast<Priority>(rows.number(2) & 3);
  StreamId id{{std::string(rows.text(0)), rows.count(1)}, lane, std::string(rows.text(3)),
              static_cast<std::uint8_t>(rows.number(4))};
  return &streams.emplace(row, std::move(id)).first->second;
}

namespace {

// Of an answer that is a table read through.
template <class F>
auto answer(ReaderState& state, F&& f) {
  return guarded("cannot read " + std::string(state.database.getFilename()), [&] {
    const Snapshot snapshot(state.database);
    return f();
  });
}

}  // namespace

Result<ScanPage> SqliteReader::scan(const ScanQuery& query) {
  return answer(state_, [&] { return spool::scan(state_, query); });
}

Result<StreamPage> SqliteReader::read_stream(const StreamQuery& query) {
  return answer(state_, [&] { return spool::read_stream(state_, query); });
}

Result<std::vector<JournalRecord>> SqliteReader::read_journal(const Origin& origin, JournalKind journal,
                                                              PositionRange range, std::size_t bytes_max) {
  return answer(state_, [&] { return spool::read_journal(state_, origin, journal, range, bytes_max); });
}

Result<std::vector<StreamTail>> SqliteReader::tails(const Filter& filter, const std::optional<StreamId>& after,
                                                    std::size_t max) {
  return answer(state_, [&] { return spool::tails(state_, filter, after, max); });
}

Result<std::optional<CommitNumber>> SqliteReader::at(WallTime time) {
  return answer(state_, [&] { return spool::at(state_, time); });
}

Result<std::optional<CommitNumber>> SqliteReader::find(const EventId& event) {
  return answer(state_, [&] { return spool::find(state_, event); });
}

Result<std::vector<CursorState>> SqliteReader::cursors() {
  return answer(state_, [&]() -> Result<std::vector<CursorState>> { return state_.records.cursors(); });
}

Result<std::optional<CursorState>> SqliteReader::cursor(std::string_view subscription) {
  return answer(state_,
                [&]() -> Result<std::optional<CursorState>> { return state_.records.cursor(subscription); });
}

Result<std::vector<AttemptRecord>> SqliteReader::attempts(std::string_view subscription) {
  return answer(state_, [&]() -> Result<std::vector<AttemptRecord>> { return state_.records.attempts(subscription); });
}

Result<std::vector<LetterRecord>> SqliteReader::letters(const LetterQuery& query) {
  const auto choice = LetterChoice::of(query);
  if (!choice) return std::unexpected(choice.error());
  return answer(state_,
                [&]() -> Result<std::vector<LetterRecord>> { return state_.records.letters(*choice, query); });
}

Result<std::vector<std::pair<std::string, CommitNumber>>> SqliteReader::marks() {
  return answer(state_, [&]() -> Result<std::vector<std::pair<std::string, CommitNumber>>> {
    std::vector<std::pair<std::string, CommitNumber>> out;
    Rows rows = state_.sql.marks.rows();
    while (rows.next()) out.emplace_back(rows.text(0), rows.count(1));
    return out;
  });
}

Result<VerifyReport> SqliteReader::verify(Depth depth, const std::function<bool(std::uint64_t, std::uint64_t)>& go_on) {
  return guarded("cannot verify " + std::string(state_.database.getFilename()),
                 [&] { return spool::verify(state_, depth, go_on); });
}

}  // namespace legion::spool
