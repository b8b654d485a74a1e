#include <legion/spool/block_contents.hpp>

#include <legion/base/limits.hpp>
#include <legion/spool/varint.hpp>

namespace legion::spool {
namespace {

std::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::BadData, std::string(what) + " does not decode");
}

RowId row(VarintReader& in) { return static_cast<RowId>(in.number()); }

}  // namespace

Bytes encode(const BlockContents& contents) {
  Bytes out;
  put_varint(out, contents.spans.size());
  for (const BlockSpan& span : contents.spans) {
    put_varint(out, static_cast<std::uint64_t>(span.stream));
    put_varint(out, span.first);
    put_varint(out, span.last - span.first);
    put_varint(out, static_cast<std::uint64_t>(span.journal));
    put_varint(out, span.position_first);
    put_varint(out, span.position_last - span.position_first);
  }
  put_varint(out, contents.positions.size());
  for (const BlockPositions& run : contents.positions) {
    put_varint(out, static_cast<std::uint64_t>(run.journal));
    put_varint(out, run.range.first);
    put_varint(out, run.range.last - run.range.first);
  }
  return out;
}

Result<BlockContents> decode_contents(BytesView bytes) {
  VarintReader in(bytes);
  BlockContents out;
  out.spans.resize(in.count(6));
  for (BlockSpan& span : out.spans) {
    span.stream = row(in);
    span.first = in.number();
    span.last = span.first + in.number();
    span.journal = row(in);
    span.position_first = in.number();
    span.position_last = span.position_first + in.number();
  }
  out.positions.resize(in.count(3));
  for (BlockPositions& run : out.positions) {
    run.journal = row(in);
    run.range.first = in.number();
    run.range.last = run.range.first + in.number();
    if (run.range.first == 0 || run.range.last < run.range.first) return bad("what a block holds");
  }
  if (!in.at_end()) return bad("what a block holds");
  return out;
}

Bytes encode(const std::vector<PositionRange>& ranges) {
  Bytes out;
  put_varint(out, ranges.size());
  Position end = 0;
  for (const PositionRange& range : ranges) {
    put_varint(out, range.first - end);
    put_varint(out, range.last - range.first);
    end = range.last;
  }
  return out;
}

Result<std::vector<PositionRange>> decode_ranges(BytesView bytes) {
  VarintReader in(bytes);
  std::vector<PositionRange> out(in.count(2));
  Position end = 0;
  for (PositionRange& range : out) {
    range.first = end + in.number();
    range.last = end = range.first + in.number();
    if (range.first == 0 || range.last < range.first) return bad("what a journal holds");
  }
  if (!in.at_end()) return bad("what a journal holds");
  return out;
}

Bytes encode(const std::vector<StreamSpan>& spans) {
  Bytes out;
  put_varint(out, spans.size());
  for (const StreamSpan& span : spans) {
    out.push_back(static_cast<std::uint8_t>(lane_index(span.lane)));
    out.push_back(span.shard);
    put_text(out, span.type);
    put_varint(out, span.first);
    put_varint(out, span.last - span.first);
  }
  return out;
}

Result<std::vector<StreamSpan>> decode_spans(BytesView bytes) {
  VarintReader in(bytes);
  std::vector<StreamSpan> out(in.count(5));
  for (StreamSpan& span : out) {
    const std::uint8_t lane = in.byte();
    if (lane >= limits::lane_count) return bad("what a void stands for");
    span.lane = static_cast<Priority>(lane);
    span.shard = in.byte();
    span.type = in.text();
    span.first = in.number();
    span.last = span.first + in.number();
  }
  if (!in.at_end()) return bad("what a void stands for");
  return out;
}

}  // namespace legion::spool
