// What a reader knows of the journals of one origin, as of its read transaction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <legion/spool/sqlite_reader.hpp>

namespace legion::spool {

/// One of the two, as its row has it. Not inside Journals, whose members need it complete.
struct OneJournal {
  Position floor = 0;
  std::array<Position, 4> released{};
  Position saved_through = 0;   ///< contiguous from the floor, when it was last saved
  std::optional<Position> final;
  std::optional<Position> through{};
};

/// Looked up when first asked for. Throws SQLite::Exception.
class Journals {
 public:
  using Journal = OneJournal;

  Journals(ReaderState& state, const Origin& origin);

  RowId row_of(JournalKind kind) const { return journal_row(origin_, kind); }
  /// Row ids are those of table journal; of another origin's: an empty journal.
  const Journal& of(RowId row);
  /// Everything from the floor up to here is there.
  Position through(RowId row);
  /// Whether a frame that is held for so many spools may be given to anybody.
  bool is_released(JournalKind kind, std::uint8_t held_for, Position position);
  /// The incarnation is over and nothing of this journal is missing here.
  bool is_complete(RowId row);
  bool are_complete();

 private:
  Position last_of(RowId row);

  ReaderState& state_;
  RowId origin_ = 0;
  std::array<std::optional<Position>, 2> finals_;
  bool has_later_life_ = false;
  std::array<std::optional<Journal>, 2> journals_;
  Journal none_;
};

}  // namespace legion::spool
