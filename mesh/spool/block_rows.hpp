// Blocks as rows: reading one and checking that it is whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <legion/spool/block_builder.hpp>
#include <legion/spool/database.hpp>

namespace legion::spool {

#define LEGION_BLOCK_COLUMNS                                                                                      \
  "first, last, frames, events, raw_bytes, stored_bytes, time_min, time_max, recorded_min, recorded_max, lanes, " \
  "flags, checksum, chain_before, chain_after, contents"

/// A row of table block: everything but `contents` decoded, bloom and data.
struct BlockRow : SealedBlock {
  std::uint64_t stored_bytes = 0;
  bool has(BlockFlag flag) const { return (flags & flag) != 0; }
};

/// Positions in two columns. Throws SQLite::Exception where they are not a range.
PositionRange read_range(const Rows& rows, int first_column);

/// Of a query for LEGION_BLOCK_COLUMNS. `first`, the key, is in order; nothing else of it is known to be true before
/// the block is loaded.
BlockRow read_block_row(const Rows& rows);
/// Puts `last` where it can be: whoever goes on behind it would pass over other blocks, or go backwards. `next` is the
/// first of the following block; 0: there is none. The block does not load then.
void bound_block_row(BlockRow& row, CommitNumber next);
/// Of a query for what is not before `from`: whoever goes on behind a key out of order never ends.
/// Throws SQLite::Exception.
void expect_in_order(const BlockRow& row, CommitNumber from);

struct LoadedBlock {
  BlockRow row;
  Bytes content;
  BlockIndex index;
  BytesView bytes_of(const BlockFrame& frame) const { return BytesView(content).subspan(frame.offset, frame.bytes); }
};

/// `body` is a query for filter and data of a block. Damage never throws.
/// Errors: BadData (what is wrong with it), Io.
Result<LoadedBlock> load_block(Query& body, BlockRow row);
inline constexpr const char* select_body = "SELECT filter, data FROM body WHERE block = ?";
inline constexpr const char* select_filter = "SELECT filter FROM body WHERE block = ?";

/// The first block behind `from` that can be reached, where what stands at or behind `from` cannot be read. Looks no
/// further than `end`, the next commit number (0: not known), and at no more than a million places in between.
std::optional<CommitNumber> readable_block_from(SQLite::Database& database, CommitNumber from, CommitNumber end);

}  // namespace legion::spool
