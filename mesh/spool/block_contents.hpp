// What a block holds, by stream and by position, as its row says it: docs/spool-format.md, "A block".
#pragma once

#include <cstdint>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/event/journal.hpp>

namespace legion::spool {

/// Ids of rows. A journal's is 2 x its origin's + kind - 1.
using RowId = std::int64_t;

constexpr RowId journal_row(RowId origin, JournalKind kind) {
  return 2 * origin + static_cast<RowId>(journal_index(kind));
}

/// A run of sequences of one stream.
struct BlockSpan {
  RowId stream = 0;
  std::uint64_t first = 0, last = 0;
  RowId journal = 0;
  Position position_first = 0, position_last = 0;  ///< of the frames that hold `first` and `last`
};

struct BlockPositions {
  RowId journal = 0;
  PositionRange range;
};

struct BlockContents {
  std::vector<BlockSpan> spans;          ///< of one stream in the order they were stored
  std::vector<BlockPositions> positions;
};

Bytes encode(const BlockContents& contents);
/// Errors: BadData.
Result<BlockContents> decode_contents(BytesView bytes);

/// journal.held.
Bytes encode(const std::vector<PositionRange>& ranges);
/// Errors: BadData.
Result<std::vector<PositionRange>> decode_ranges(BytesView bytes);

/// void.spans.
Bytes encode(const std::vector<StreamSpan>& spans);
/// Errors: BadData.
Result<std::vector<StreamSpan>> decode_spans(BytesView bytes);

}  // namespace legion::spool
