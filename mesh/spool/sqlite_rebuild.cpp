#include <legion/spool/sqlite_rebuild.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>

namespace legion::spool {
namespace {

/// Takes blocks apart and puts what is kept into the builder.
class Rebuild {
 public:
  Rebuild(WriterState& state, const KeepChoice& choose) : state_(state), choose_(choose) {}

  void add(const LoadedBlock& block) {
    // Numbers between two blocks are of frames that are gone.
    BlockBuilder& builder = state_.builder;
    if (builder.next() < block.row.first) builder.drop(block.row.first - builder.next(), block.row.chain_before);
    std::vector<Keep> choices;
    for (const BlockFrame& frame : block.index.frames) choices.push_back(choose_(block, frame));
    // The chain is needed only where something is dropped.
    const bool has_drops = std::ranges::find(choices, Keep::Number) != choices.end();
    Digest chain = block.row.chain_before;
    auto dropped = block.index.dropped.begin();
    const auto pass_dropped = [&](CommitNumber number) {
      for (; dropped != block.index.dropped.end() && dropped->first < number; ++dropped) {
        builder.drop(dropped->last - dropped->first + 1, dropped->chain_after);
        chain = dropped->chain_after;
      }
    };
    for (std::size_t i = 0; i < choices.size(); ++i) {
      const BlockFrame& frame = block.index.frames[i];
      pass_dropped(frame.number);
      const BytesView bytes = block.bytes_of(frame);
      const Origin& origin = block.index.origin_of(frame);
      if (has_drops) chain = chain_link(chain, digest_of(bytes), origin, frame.journal, frame.position);
      choices[i] == Keep::Frame ? keep(block, frame, origin) : builder.drop(1, chain);
    }
    pass_dropped(UINT64_MAX);
  }

 private:
  void keep(const LoadedBlock& block, const BlockFrame& frame, const Origin& origin) {
    const BytesView bytes = block.bytes_of(frame);
    const auto header = decode_frame_header(bytes);
    if (!header) throw SQLite::Exception("a stored frame does not decode: " + header.error().message);
    OriginBook& book = origin_book(state_, origin);
    state_.builder.add(
        {.bytes = bytes,
         .header = *header,
         .origin = &origin,
         .journal = frame.journal,
         .position = frame.position,
         .held_for = frame.held_for,
         .place = frame.place,
         .recorded = frame.recorded,
         .stream_row = stream_row(state_, book, header->lane, as_text(bytes.first(header->type.size() + 2))),
         .journal_row = book.of(frame.journal).row});
  }

  WriterState& state_;
  const KeepChoice& choose_;
};

}  // namespace

std::optional<LoadedBlock> load_block_at(WriterState& state, CommitNumber first) {
  BlockRow row;
  {
    Rows rows = state.sql.block_at.rows(first);
    if (!rows.next()) return std::nullopt;
    row = read_block_row(rows);
  }
  if (row.has(block_quarantined)) return std::nullopt;
  auto block = load_block(state.sql.body, std::move(row));
  if (block) return std::move(*block);
  if (block.error().code != ErrorCode::BadData) throw SQLite::Exception(block.error().message);
  state.shared->report_damage(first);
  return std::nullopt;
}

void add_to_builder(WriterState& state, const LoadedBlock& block) {
  const KeepChoice all = [](const LoadedBlock&, const BlockFrame&) { return Keep::Frame; };
  Rebuild(state, all).add(block);
}

void rebuild(WriterState& state, std::span<const LoadedBlock> blocks, const KeepChoice& choose) {
  LEGION_ASSERT(!blocks.empty());
  state.builder.begin(blocks.front().row.first, blocks.front().row.chain_before);
  Rebuild rebuild(state, choose);
  for (const LoadedBlock& block : blocks) {
    rebuild.add(block);
    remove_block(state, block.row);
  }
  if (!state.builder.empty()) insert_block(state, state.builder.seal(blocks.back().row.chain_after));
}

}  // namespace legion::spool
