// The tables that `~record` events end up in: cursors, attempts and dead letters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/spool/database.hpp>
#include <legion/spool/record_merge.hpp>
#include <legion/spool/store.hpp>

namespace legion::spool {

/// Reads them. Thread: that of the connection. Throws SQLite::Exception.
class RecordTables {
 public:
  explicit RecordTables(SQLite::Database& database);

  std::vector<CursorState> cursors();
  /// Without their streams.
  std::vector<CursorState> cursor_heads();
  std::optional<CursorState> cursor(std::string_view subscription);
  /// Without its streams.
  std::optional<CursorState> cursor_head(std::string_view subscription);
  std::optional<StreamCursor> stream_cursor(std::string_view subscription, const StreamId& stream);
  std::vector<AttemptRecord> attempts(std::string_view subscription);
  std::optional<AttemptRecord> attempt(std::string_view subscription, std::string_view event);
  std::vector<LetterRecord> letters(const LetterChoice& choice, const LetterQuery& query);
  std::optional<KeptLetter> letter(const std::string& key);
  std::uint64_t dead_letters();

 private:
  Query cursor_names_, cursor_, cursor_streams_, stream_cursor_, attempts_, attempt_, letters_, letter_, letter_frame_,
      dead_letters_;
};

/// Writes them, within the transaction of the frames that the records came in.
class RecordTablesWriter {
 public:
  explicit RecordTablesWriter(SQLite::Database& database);

  /// `by` is whose journal the record came in.
  void apply(const StampedRecord& stamped, const Origin& by);
  RecordTables& tables() { return tables_; }
  /// By how much the letters in state dead became more since the last call.
  std::int64_t take_dead_change() { return std::exchange(dead_change_, 0); }
  /// Cursor records of a generation that is not the latest, since the last call.
  std::uint64_t take_stale_cursors() { return std::exchange(stale_cursors_, 0); }

 private:
  void apply(const CursorRecord& record, WallTime time, const Origin& by);
  void apply(const AttemptRecord& record);
  void apply(const LetterRecord& record);
  void forget_done_attempts(const CursorRecord& record);

  std::int64_t dead_change_ = 0;
  std::uint64_t stale_cursors_ = 0;
  RecordTables tables_;
  Query put_cursor_, remove_streams_, put_stream_, put_attempt_, remove_attempt_, remove_attempts_, put_letter_;
};

}  // namespace legion::spool
