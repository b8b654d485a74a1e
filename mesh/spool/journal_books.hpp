// What the writing half of a store knows of every journal, in memory.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <legion/spool/block_contents.hpp>
#include <legion/spool/position_set.hpp>
#include <legion/spool/store.hpp>

namespace legion::spool {

struct JournalBook {
  RowId row = 0;
  PositionSet held;     ///< frames and voids alike
  PositionSet voids;    ///< the part of `held` that is voids
  Position floor = 0;
  std::array<Position, 4> released{};
  std::optional<Position> final;
  bool is_unsaved = false;  ///< changed since its row was written
  Position through() const { return held.contiguous_from(floor); }
  void release(std::uint8_t spools, Position through);
};

/// Lets a topic (type, NUL, shard) in a frame find its stream without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using StreamRows = std::unordered_map<std::string, RowId, TextHash, std::equal_to<>>;

struct OriginBook {
  RowId row = 0;
  Origin origin;
  std::optional<BootId> boot;
  std::array<JournalBook, 2> journals;
  std::array<StreamRows, 4> streams;  ///< by lane, by topic; a cache of the stream table
  JournalBook& of(JournalKind kind) { return journals[journal_index(kind)]; }
};

using JournalBooks = std::map<Origin, OriginBook>;

std::vector<JournalState> states_of(const JournalBooks& books);

/// One step back of what append() did to the books, should its transaction fail.
struct BookChange {
  PositionSet* set = nullptr;
  PositionRange range;
  enum class Kind : std::uint8_t { Added, Removed } kind = Kind::Added;
};
void undo(std::vector<BookChange>& changes);

}  // namespace legion::spool
