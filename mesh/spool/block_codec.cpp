#include <legion/spool/block_codec.hpp>

#include <algorithm>
#include <array>

#include <zstd.h>

#include <legion/base/assert.hpp>
#include <legion/spool/varint.hpp>

namespace legion::spool {
namespace {

enum EntryFlag : std::uint8_t {
  entry_captured = 1,
  entry_of_void = 2,
  entry_held = 4,
  entry_recorded = 8,
  entry_dropped = 16,
};
constexpr std::uint8_t entry_flags_known = 31;

// A frame has its flags and four numbers, a dropped run more.
constexpr std::size_t entry_bytes_min = 6;
constexpr std::uint64_t number_max = INT64_MAX;

// Where the last frame left off, so that most numbers are 0.
struct Expected {
  explicit Expected(const BlockIndex& index) : positions(2 * index.origins.size()), sequences(index.streams.size()) {}
  std::uint64_t& position(const BlockIndex& index, const BlockFrame& frame) {
    return positions[2 * index.streams[frame.stream].origin + journal_index(frame.journal)];
  }
  std::vector<std::uint64_t> positions;
  std::vector<std::uint64_t> sequences;
  std::int64_t recorded = 0;
};

std::uint64_t difference(std::uint64_t value, std::uint64_t expected) {
  return zigzag(static_cast<std::int64_t>(value - expected));
}

void put_frame(const BlockIndex& index, const BlockFrame& frame, Expected& expected, Bytes& out) {
  std::uint8_t flags = frame.journal == JournalKind::Captured ? entry_captured : 0;
  if (frame.place == BlockFrame::Place::OfVoid) flags |= entry_of_void;
  if (frame.held_for > 0) flags |= entry_held;
  if (frame.recorded.ns != expected.recorded) flags |= entry_recorded;
  out.push_back(flags);
  put_varint(out, frame.stream);
  std::uint64_t& position = expected.position(index, frame);
  put_varint(out, difference(frame.position, position + 1));
  position = frame.position;
  if (frame.held_for > 0) out.push_back(frame.held_for);
  if ((flags & entry_recorded) != 0) put_varint(out, zigzag(frame.recorded.ns - expected.recorded));
  expected.recorded = frame.recorded.ns;
  std::uint64_t& sequence = expected.sequences[frame.stream];
  put_varint(out, difference(frame.first, sequence));
  sequence = frame.first + frame.events;
  put_varint(out, frame.events);
  put_varint(out, frame.bytes);
}

std::unexpected<Error> bad(std::string_view what) { return fail(ErrorCode::BadData, "block: " + std::string(what)); }

Result<void> read_names(VarintReader& in, BlockIndex& index) {
  const std::size_t origins = in.count(3);
  for (std::size_t i = 0; i < origins && in.ok(); ++i) {
    const std::string_view node = in.text();
    index.origins.push_back({std::string(node), in.number()});
    if (!is_node_name(node)) return bad("an origin is not a node name");
  }
  const std::size_t streams = in.count(4);
  for (std::size_t i = 0; i < streams && in.ok(); ++i) {
    BlockStream stream;
    const std::uint64_t origin = in.number();
    const std::uint8_t lane = in.byte();
    stream.shard = in.byte();
    stream.type = in.text();
    if (origin >= index.origins.size()) return bad("a stream has no origin");
    if (lane >= limits::lane_count) return bad("a stream has no lane");
    stream.origin = static_cast<std::uint32_t>(origin);
    stream.lane = static_cast<Priority>(lane);
    index.streams.push_back(std::move(stream));
  }
  if (!in.ok()) return bad("the names end early");
  return {};
}

Result<void> read_frame(VarintReader& in, std::uint8_t flags, BlockIndex& index, Expected& expected,
                        BlockFrame& frame) {
  frame.journal = (flags & entry_captured) != 0 ? JournalKind::Captured : JournalKind::Confirmed;
  frame.place = (flags & entry_of_void) != 0 ? BlockFrame::Place::OfVoid : BlockFrame::Place::New;
  const std::uint64_t stream = in.number();
  if (stream >= index.streams.size()) return bad("a frame has no stream");
  frame.stream = static_cast<std::uint32_t>(stream);
  std::uint64_t& position = expected.position(index, frame);
  frame.position = position += 1 + static_cast<std::uint64_t>(unzigzag(in.number()));
  if ((flags & entry_held) != 0) frame.held_for = in.byte();
  if ((flags & entry_recorded) != 0) {
    const auto change = static_cast<std::uint64_t>(unzigzag(in.number()));
    expected.recorded = static_cast<std::int64_t>(static_cast<std::uint64_t>(expected.recorded) + change);
  }
  frame.recorded.ns = expected.recorded;
  std::uint64_t& sequence = expected.sequences[frame.stream];
  frame.first = sequence + static_cast<std::uint64_t>(unzigzag(in.number()));
  const std::uint64_t events = in.number();
  if (frame.position == 0 || frame.position > number_max) return bad("a position is out of range");
  if (events > limits::msgpack_items_max || frame.first == 0 || frame.first > number_max) {
    return bad("a sequence is out of range");
  }
  frame.events = static_cast<std::uint32_t>(events);
  sequence = frame.first + events;
  frame.bytes = in.number();
  return {};
}

Result<void> read_entries(VarintReader& in, CommitNumber number, std::size_t offset, std::size_t end,
                          BlockIndex& index) {
  Expected expected(index);
  const std::size_t entries = in.count(entry_bytes_min);
  index.frames.reserve(entries);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::uint8_t flags = in.byte();
    if (!in.ok() || flags > entry_flags_known) return bad("an entry of an unknown kind");
    if ((flags & entry_dropped) != 0) {
      const std::uint64_t count = in.number();
      const BytesView chain = in.bytes(sizeof(Digest));
      if (!in.ok() || count == 0 || count > number_max - number) return bad("a dropped run is not one");
      DroppedRun& run = index.dropped.emplace_back(DroppedRun{number, number + count - 1, {}});
      std::ranges::copy(chain, run.chain_after.begin());
      number += count;
      continue;
    }
    BlockFrame& frame = index.frames.emplace_back();
    if (auto read = read_frame(in, flags, index, expected, frame); !read) return read;
    if (!in.ok()) return bad("the entries end early");
    if (frame.bytes > end - offset) return bad("a frame goes beyond the end");
    frame.number = number++;
    frame.offset = offset;
    offset += frame.bytes;
  }
  if (!in.at_end()) return bad("bytes behind the entries");
  if (offset != end) return bad("bytes behind the frames");
  return {};
}

}  // namespace

CommitNumber BlockIndex::last_number() const {
  const CommitNumber frame = frames.empty() ? 0 : frames.back().number;
  return dropped.empty() ? frame : std::max(frame, dropped.back().last);
}

void encode_block_head(const BlockIndex& index, Bytes& out) {
  const std::size_t begin = out.size();
  out.resize(begin + block_head_bytes);
  put_varint(out, index.origins.size());
  for (const Origin& origin : index.origins) {
    put_text(out, origin.node);
    put_varint(out, origin.incarnation);
  }
  put_varint(out, index.streams.size());
  for (const BlockStream& stream : index.streams) {
    put_varint(out, stream.origin);
    out.push_back(static_cast<std::uint8_t>(lane_index(stream.lane)));
    out.push_back(stream.shard);
    put_text(out, stream.type);
  }
  put_varint(out, index.frames.size() + index.dropped.size());
  Expected expected(index);
  auto dropped = index.dropped.begin();
  const auto put_dropped_before = [&](CommitNumber number) {
    for (; dropped != index.dropped.end() && dropped->first < number; ++dropped) {
      out.push_back(entry_dropped);
      put_varint(out, dropped->last - dropped->first + 1);
      out.insert(out.end(), dropped->chain_after.begin(), dropped->chain_after.end());
    }
  };
  for (const BlockFrame& frame : index.frames) {
    put_dropped_before(frame.number);
    put_frame(index, frame, expected, out);
  }
  put_dropped_before(UINT64_MAX);
  const std::size_t index_bytes = out.size() - begin - block_head_bytes;
  LEGION_ASSERT(index_bytes < block_content_bytes_max);
  out[begin] = block_version;
  for (std::size_t i = 0; i < 4; ++i) out[begin + 1 + i] = static_cast<std::uint8_t>(index_bytes >> (8 * i));
}

Result<BlockIndex> decode_block(BytesView content, CommitNumber first) {
  if (content.size() < block_head_bytes) return bad("shorter than its head");
  if (content[0] != block_version) return bad("of version " + std::to_string(content[0]));
  std::size_t index_bytes = 0;
  for (std::size_t i = 0; i < 4; ++i) index_bytes |= std::size_t{content[1 + i]} << (8 * i);
  if (index_bytes > content.size() - block_head_bytes) return bad("shorter than its index");
  VarintReader in(content.subspan(block_head_bytes, index_bytes));
  BlockIndex index;
  if (auto read = read_names(in, index); !read) return std::unexpected(std::move(read.error()));
  if (auto read = read_entries(in, first, block_head_bytes + index_bytes, content.size(), index); !read) {
    return std::unexpected(std::move(read.error()));
  }
  return index;
}

Compressor::Compressor() : context_(ZSTD_createCCtx()) {
  LEGION_ASSERT(context_ != nullptr);
  ZSTD_CCtx_setParameter(static_cast<ZSTD_CCtx*>(context_), ZSTD_c_compressionLevel, block_zstd_level);
}

Compressor::~Compressor() { ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(context_)); }

BytesView Compressor::compress(BytesView content) {
  const std::size_t bound = ZSTD_compressBound(content.size());
  if (buffer_.size() < bound) buffer_.resize(bound);
  const std::size_t size = ZSTD_compress2(static_cast<ZSTD_CCtx*>(context_), buffer_.data(), buffer_.size(),
                                          content.data(), content.size());
  LEGION_ASSERT(!ZSTD_isError(size));
  return BytesView(buffer_).first(size);
}

Result<void> decompress_block(BytesView data, std::size_t content_bytes, Bytes& out) {
  if (content_bytes > block_content_bytes_max) return bad("claims too many bytes");
  if (ZSTD_getFrameContentSize(data.data(), data.size()) != content_bytes) return bad("not of the size it claims");
  out.resize(content_bytes);
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), data.data(), data.size());
  if (ZSTD_isError(size)) return bad(ZSTD_getErrorName(size));
  if (size != content_bytes) return bad("not of the size it claims");
  return {};
}

}  // namespace legion::spool
