// Reading by commit number, with blocks passed over by what their rows and filters say.
#include <algorithm>
#include <exception>
#include <optional>
#include <set>

#include <legion/event/event_type.hpp>
#include <legion/spool/sqlite_reader.hpp>

namespace legion::spool {
namespace {

// What a look costs, so that one call, and its read transaction, stays short however little matches.
constexpr std::size_t cost_of_row = 1;
constexpr std::size_t cost_of_filter = 8;
constexpr std::size_t cost_of_body = 64;

class Scan {
 public:
  Scan(ReaderState& state, const ScanQuery& query)
      : state_(state), query_(query), budget_(cost_of_body * std::max<std::size_t>(query.blocks_max, 1)) {
    for (const Priority lane : query.lanes) lanes_ |= 1u << lane_index(lane);
    if (query.lanes.empty()) lanes_ = 0xff;
    if (!query.correlation) return;
    hash_ = hash_of_id(*query.correlation);
    if (const auto id = EventId::parse(*query.correlation)) find_own(*id);
  }

  Result<ScanPage> run() {
    page_.next = std::max<CommitNumber>(query_.from, 1);
    CommitNumber start = page_.next;
    if (Rows rows = state_.sql.block_before.rows(start); rows.next()) start = rows.count(0);
    Rows rows = state_.sql.blocks_from.rows(start);
    std::size_t cost = 0;
    const CommitNumber asked = page_.next;
    // What cannot be read is said at its turn: the block before it is sound.
    std::exception_ptr unreadable;
    const auto read_next = [&]() -> std::optional<BlockRow> {
      try {
        return rows.next() ? std::optional(read_block_row(rows)) : std::nullopt;
      } catch (const SQLite::Exception&) {
        unreadable = std::current_exception();
        return std::nullopt;
      }
    };
    for (auto next = read_next(); next;) {
      BlockRow row = std::move(*next);
      next = read_next();
      bound_block_row(row, next ? next->first : 0);
      if (row.last < page_.next) continue;
      if (query_.until && std::max(row.first, page_.next) > *query_.until) return end();
      if (cost >= budget_) return std::move(page_);
      cost += cost_of_row;
      const CommitNumber behind = row.last + 1;
      if (may_have(row, cost) && !look_at(std::move(row), cost)) return std::move(page_);
      page_.next = behind;
    }
    if (unreadable && page_.next == asked) std::rethrow_exception(unreadable);
    if (unreadable) return std::move(page_);
    return end();
  }

 private:
  Result<ScanPage> end() {
    page_.at_end = true;
    return std::move(page_);
  }

  void find_own(const EventId& id) {
    own_ = id;
    RowId stream = 0;
    if (Rows rows = state_.sql.stream.rows(id.node, id.incarnation, lane_index(id.lane), id.type, id.shard);
        rows.next()) {
      stream = rows.number(0);
    }
    Rows rows = state_.sql.span_before.rows(stream, id.sequence);
    if (rows.next() && rows.count(1) >= id.sequence) own_block_ = rows.count(2);
  }

  bool wants_type(std::string_view type) const {
    if (is_reserved(type)) return false;
    return query_.types.empty() ||
           std::ranges::any_of(query_.types, [&](const Filter& filter) { return filter.matches(type); });
  }

  bool has_wanted_stream(const BlockRow& row) {
    const auto contents = decode_contents(row.encoded_contents);
    if (!contents) return true;  // the checksum will tell
    return std::ranges::any_of(contents->spans, [&](const BlockSpan& span) {
      const StreamId* stream = state_.stream_of(span.stream);
      return stream != nullptr && wants_type(stream->type);
    });
  }

  bool may_have(const BlockRow& row, std::size_t& cost) {
    if (row.has(block_quarantined) || !row.has(block_has_events) || (row.lanes & lanes_) == 0) return false;
    if (query_.since && row.times.max < query_.since->ns) return false;
    if (query_.before && row.times.min >= query_.before->ns) return false;
    if (!query_.types.empty() && !has_wanted_stream(row)) return false;
    if (!query_.correlation || row.first == own_block_) return true;
    cost += cost_of_filter;
    Rows rows = state_.sql.filter.rows(row.first);
    return !rows.next() || bloom_may_have(rows.blob(0), hash_);
  }

  bool is_wanted(const LoadedBlock& block, const BlockFrame& frame) {
    const bool asks_events = query_.correlation || query_.since || query_.before;
    if (!asks_events) return true;
    const BytesView bytes = block.bytes_of(frame);
    const auto header = decode_frame_header(bytes);
    if (!header) return false;
    if (query_.since || query_.before) {
      const TimeRange times = times_of(*header, bytes);
      if (query_.since && times.max < query_.since->ns) return false;
      if (query_.before && times.min >= query_.before->ns) return false;
    }
    return !query_.correlation || is_own(block, frame) || mentions(*header, bytes, *query_.correlation);
  }

  bool is_own(const LoadedBlock& block, const BlockFrame& frame) const {
    if (!own_ || own_->sequence < frame.first || own_->sequence - frame.first >= frame.events) return false;
    const BlockStream& stream = block.index.streams[frame.stream];
    const Origin& origin = block.index.origin_of(frame);
    return origin.node == own_->node && origin.incarnation == own_->incarnation && stream.lane == own_->lane &&
           stream.type == own_->type && stream.shard == own_->shard;
  }

  // False: the page is full, or the query's end is reached.
  bool look_at(BlockRow row, std::size_t& cost) {
    cost += cost_of_body;
    const LoadedBlockPtr block = state_.blocks.get(std::move(row));
    if (block == nullptr) return true;
    std::vector<bool> wanted;
    for (const BlockStream& stream : block->index.streams) {
      wanted.push_back((lanes_ >> lane_index(stream.lane) & 1) != 0 && wants_type(stream.type));
    }
    const std::size_t before = page_.frames.size();
    std::size_t taken = 0;
    bool is_room = true;
    const auto from = std::ranges::lower_bound(block->index.frames, page_.next, {}, &BlockFrame::number);
    for (auto frame = from; is_room && frame != block->index.frames.end(); ++frame) {
      if (query_.until && frame->number > *query_.until) {
        page_.next = frame->number;
        page_.at_end = true;
        is_room = false;
      } else if (wanted[frame->stream] && is_wanted(*block, *frame)) {
        if (!page_.frames.empty() && bytes_ + frame->bytes > query_.bytes_max) {
          page_.next = frame->number;
          is_room = false;
          break;
        }
        bytes_ += frame->bytes;
        taken += frame->bytes;
        page_.frames.push_back({frame->number, frame->journal, frame->position, frame->held_for, frame->recorded,
                                block->bytes_of(*frame)});
      }
    }
    keep(block, before, taken);
    return is_room;
  }

  // A few frames of a block are copied: otherwise a page of rare ones would hold all of the blocks they are in.
  void keep(const LoadedBlockPtr& block, std::size_t first, std::size_t taken) {
    if (first == page_.frames.size()) return;
    if (taken * 4 >= block->content.size()) {
      state_.held_blocks.push_back(block);
      return;
    }
    for (std::size_t i = first; i < page_.frames.size(); ++i) {
      BytesView& frame = page_.frames[i].frame;
      frame = state_.held_frames.emplace_back(frame.begin(), frame.end());
    }
  }

  ReaderState& state_;
  const ScanQuery& query_;
  std::size_t budget_;
  unsigned lanes_ = 0;
  std::uint64_t hash_ = 0;
  std::optional<EventId> own_;
  CommitNumber own_block_ = 0;
  ScanPage page_;
  std::size_t bytes_ = 0;
};

}  // namespace

Result<ScanPage> scan(ReaderState& state, const ScanQuery& query) {
  state.held_blocks.clear();
  state.held_frames.clear();
  return Scan(state, query).run();
}

Result<std::optional<CommitNumber>> at(ReaderState& state, WallTime time) {
  CommitNumber from = 1;
  for (;;) {
    BlockRow row;
    {
      Rows rows = state.sql.block_recorded_since.rows(time.ns, from);
      if (!rows.next()) return std::nullopt;
      row = read_block_row(rows);
    }
    expect_in_order(row, from);
    from = row.first + 1;
    const LoadedBlockPtr block = state.blocks.get(std::move(row));
    if (block == nullptr) continue;
    for (const BlockFrame& frame : block->index.frames) {
      if (frame.recorded >= time) return frame.number;
    }
  }
}

Result<std::optional<CommitNumber>> find(ReaderState& state, const EventId& event) {
  RowId stream = 0;
  if (Rows rows = state.sql.stream.rows(event.node, event.incarnation, lane_index(event.lane), event.type, event.shard);
      rows.next()) {
    stream = rows.number(0);
  }
  CommitNumber first = 0;
  {
    Rows rows = state.sql.span_before.rows(stream, event.sequence);
    if (!rows.next() || rows.count(1) < event.sequence) return std::nullopt;
    first = rows.count(2);
  }
  const LoadedBlockPtr block = state.blocks.get(first);
  if (block == nullptr) return std::nullopt;
  for (const BlockFrame& frame : block->index.frames) {
    const BlockStream& in = block->index.streams[frame.stream];
    const Origin& origin = block->index.origin_of(frame);
    const bool is_stream = origin.node == event.node && origin.incarnation == event.incarnation &&
                           in.lane == event.lane && in.type == event.type && in.shard == event.shard;
    if (is_stream && frame.first <= event.sequence && event.sequence - frame.first < frame.events) return frame.number;
  }
  return std::nullopt;
}

}  // namespace legion::spool
