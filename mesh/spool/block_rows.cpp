#include <legion/spool/block_rows.hpp>

#include <algorithm>

#include <sqlite3.h>

namespace legion::spool {
namespace {

constexpr std::size_t probes_max = 1 << 20;

void copy_digest(BytesView bytes, Digest& digest) {
  if (bytes.size() == digest.size()) std::ranges::copy(bytes, digest.begin());
}

Result<void> read_body(Query& body, LoadedBlock& block) {
  return guarded("body", [&]() -> Result<void> {
    Rows rows = body.rows(block.row.first);
    if (!rows.next()) return fail(ErrorCode::BadData, "its body is gone");
    const BytesView bloom = rows.blob(0);
    block.row.bloom.assign(bloom.begin(), bloom.end());
    block.row.data = rows.blob(1);
    const std::uint64_t checksum = block_checksum(block.row);
    Result<void> read{};
    if (checksum != block.row.checksum) {
      read = fail(ErrorCode::BadData, "checksum");
    } else {
      read = decompress_block(block.row.data, block.row.content_bytes, block.content);
    }
    block.row.data = {};
    return read;
  });
}

}  // namespace

PositionRange read_range(const Rows& rows, int first_column) {
  const PositionRange range{rows.count(first_column), rows.count(first_column + 1)};
  if (range.first == 0 || range.last < range.first || range.last > INT64_MAX) {
    throw SQLite::Exception("a row has no range of positions", SQLITE_CORRUPT);
  }
  return range;
}

BlockRow read_block_row(const Rows& rows) {
  BlockRow row;
  row.first = rows.count(0);
  row.last = rows.count(1);
  row.frames = rows.count(2);
  row.events = rows.count(3);
  row.content_bytes = rows.count(4);
  row.stored_bytes = rows.count(5);
  row.times = {rows.number(6), rows.number(7)};
  row.recorded = {rows.number(8), rows.number(9)};
  row.lanes = static_cast<std::uint8_t>(rows.number(10));
  row.flags = static_cast<std::uint8_t>(rows.number(11));
  row.checksum = rows.count(12);
  copy_digest(rows.blob(13), row.chain_before);
  copy_digest(rows.blob(14), row.chain_after);
  const BytesView contents = rows.blob(15);
  row.encoded_contents.assign(contents.begin(), contents.end());
  return row;
}

void bound_block_row(BlockRow& row, CommitNumber next) {
  constexpr CommitNumber numbers_max = 1u << 31;  // far beyond what a block has
  const bool is_possible =
      row.first <= row.last && row.last - row.first < numbers_max && (next == 0 || row.last < next);
  if (!is_possible) row.last = next == 0 ? row.first : next - 1;
}

void expect_in_order(const BlockRow& row, CommitNumber from) {
  if (row.first < from) throw SQLite::Exception("the blocks are not in order", SQLITE_CORRUPT);
}

Result<LoadedBlock> load_block(Query& body, BlockRow row) {
  LoadedBlock block{std::move(row), {}, {}};
  if (auto read = read_body(body, block); !read) return std::unexpected(std::move(read.error()));
  auto index = decode_block(block.content, block.row.first);
  if (!index) return std::unexpected(std::move(index.error()));
  if (index->last_number() != block.row.last || index->frames.size() != block.row.frames) {
    return fail(ErrorCode::BadData, "not the commit numbers that its row says");
  }
  block.index = std::move(*index);
  return block;
}

std::optional<CommitNumber> readable_block_from(SQLite::Database& database, CommitNumber from, CommitNumber end) {
  const CommitNumber step = end > from ? (end - from) / probes_max + 1 : 1;
  Query query(database, "SELECT first FROM block WHERE first >= ? ORDER BY first LIMIT 1");
  ++from;
  for (std::size_t i = 0; i < probes_max && (end == 0 || from < end); ++i, from += step) {
    try {
      Rows rows = query.rows(from);
      if (!rows.next()) return std::nullopt;
      if (rows.count(0) >= from) return rows.count(0);
    } catch (const SQLite::Exception& exception) {
      if (error_of("", exception).code != ErrorCode::BadData) throw;
    }
  }
  return std::nullopt;
}

}  // namespace legion::spool
