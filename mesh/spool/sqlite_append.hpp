// One append to the SQLite store. Internal to this layer.
#pragma once

#include <span>
#include <vector>

#include <legion/spool/sqlite_state.hpp>

namespace legion::spool {

/// As Store::append().
Result<void> append(WriterState& state, std::span<const JournalRecord> records, WallTime now);

}  // namespace legion::spool
