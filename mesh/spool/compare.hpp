// Comparing two stores as sets of records.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <legion/spool/store.hpp>

namespace legion {

/// Positions of one journal in which two stores differ.
struct StoreDifference {
  std::string journal;   ///< "node:incarnation:journal"
  PositionRange range;
  enum class Kind : std::uint8_t {
    OnlyFirst,    ///< the first has them, the second lacks them
    OnlySecond,
    FrameOnlyFirst,   ///< the first has frames, where the second has a void (or dropped a record that counts no more)
    FrameOnlySecond,
    Differ,       ///< both have a frame, of different bytes
  } kind = Kind::OnlyFirst;
};
std::string_view to_string(StoreDifference::Kind kind);  ///< "only_first", "only_second", "frame_only_first", ..

/// One side: what the store has, as Store::journals() or a spool says it, and a reader of it.
struct StoreSide {
  std::vector<JournalState> journals;
  StoreReader* reader = nullptr;
};

/// Every (origin, journal, position) of both with the bytes of its frame. What one of them trimmed (at or below its
/// floor) is no difference. Neighbouring positions of one kind come as one; stops after `max` of them.
/// Errors: those of the readers.
Result<std::vector<StoreDifference>> compare(const StoreSide& first, const StoreSide& second, std::size_t max);

}  // namespace legion
