// What a spool reads from its own file, which a disk may have changed: a block's content, its row, the state of the
// store.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/spool/block_codec.hpp>
#include <legion/spool/block_contents.hpp>
#include <legion/spool/sqlite_state.hpp>

namespace {

using namespace legion;
using namespace legion::spool;

void check_block(BytesView content) {
  const auto index = decode_block(content, 1);
  if (!index) return LEGION_ASSERT(!index.error().message.empty());
  for (const BlockFrame& frame : index->frames) {
    LEGION_ASSERT(frame.offset <= content.size() && frame.bytes <= content.size() - frame.offset);
    LEGION_ASSERT(frame.stream < index->streams.size() && index->streams[frame.stream].origin < index->origins.size());
    LEGION_ASSERT(frame.number <= index->last_number());
  }
  Bytes head;
  encode_block_head(*index, head);
  head.insert(head.end(),
              content.begin() +
                  static_cast<std::ptrdiff_t>(index->frames.empty() ? content.size() : index->frames.front().offset),
              content.end());
  const auto again = decode_block(head, 1);
  LEGION_ASSERT(again.has_value() && again->frames.size() == index->frames.size());
}

/// What is read reads the same once it is written.
template <class Value>
void check(BytesView bytes, Result<Value> (*decode)(BytesView)) {
  const auto decoded = decode(bytes);
  if (!decoded) return;
  const Bytes written = encode(*decoded);
  const auto again = decode(written);
  LEGION_ASSERT(again.has_value());
  LEGION_ASSERT(encode(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const BytesView input(bytes, size);
  check_block(input);
  check<BlockContents>(input, decode_contents);
  check<std::vector<PositionRange>>(input, decode_ranges);
  check<std::vector<StreamSpan>>(input, decode_spans);
  check<StoreHead>(input, decode_head);
  // Two bytes say how large the content claims to be; what stands in the file may claim anything.
  if (size < 2) return 0;
  Bytes content;
  const std::size_t claimed = std::size_t{bytes[0]} << 8 | bytes[1];
  if (decompress_block(input.subspan(2), claimed, content)) {
    LEGION_ASSERT(content.size() == claimed);
    check_block(content);
  }
  return 0;
}
