// Housekeeping of the SQLite store: the log, damaged blocks, retention, merging, backups. Internal to this layer.
#pragma once

#include <string>

#include <legion/spool/sqlite_state.hpp>

namespace legion::spool {

/// After opening: everything in the log goes into the database, and that to disk. Throws SQLite::Exception.
void settle(WriterState& state);
/// After loading: what the last commits wrote is looked at once more, and quarantined where it is damaged.
Result<void> check_end(WriterState& state);
/// Before closing.
void close(WriterState& state);
void measure_database(WriterState& state);

/// Copies the log back when it is long. Waits for readers, briefly, when it has become very long because of them.
/// Errors: Io, and the store is frozen.
Result<void> limit_log(WriterState& state, std::uint64_t bytes_max);

/// As Store::maintain().
Result<bool> maintain(WriterState& state, WallTime now, const RetentionPolicy& retention);

// Steps of it: whether there was something to do.
/// Of a block whose body cannot be reached the structure is broken, and what is written into it may be lost too: the
/// store freezes, and is salvaged on the next open. Errors: Io.
Result<bool> quarantine_step(WriterState& state);
Result<bool> trim_step(WriterState& state, WallTime now, const RetentionPolicy& retention);
Result<bool> merge_step(WriterState& state);

/// Positions up to `floor`, which is no lower than the present one, are not missing any more; frames there stay. Inside
/// write(), which save()s.
void raise_floor(WriterState& state, JournalBook& journal, Position floor);

/// As Store::backup(). Thread: any.
Result<void> backup(const WriterState& state, const std::string& target);

}  // namespace legion::spool
