// What a record has to be before a store takes it. Internal to this layer.
#pragma once

#include <cstdint>

#include <legion/event/frame.hpp>
#include <legion/event/journal.hpp>

namespace legion::spool {

/// Positions, sequences and incarnations beyond it are refused: SQLite's integers are signed.
inline constexpr std::uint64_t stored_number_max = INT64_MAX - 1;

/// The header of the record's frame; of a void nothing but the check.
/// Errors: BadData naming origin, journal and position.
Result<FrameHeader> check_record(const JournalRecord& record);

/// Errors: BadData.
Result<void> check_origin(const Origin& origin);

}  // namespace legion::spool
