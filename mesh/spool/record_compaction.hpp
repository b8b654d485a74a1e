// Which `~record` frames count no more.
#pragma once

#include <span>
#include <unordered_set>

#include <legion/spool/block_rows.hpp>
#include <legion/spool/record_tables.hpp>

namespace legion::spool {

/// Commit numbers of the `~record` frames in these blocks (ascending) that say nothing which later frames among them, or
/// for attempts and letters the tables, do not say too. Whoever has all the other frames of the store ends up with the
/// same cursors, attempts and letters. Throws SQLite::Exception.
std::unordered_set<CommitNumber> superseded_records(RecordTables& tables, std::span<const LoadedBlock> blocks);

}  // namespace legion::spool
