// Reading a stream in order: frames, and what is to be said where there are none.
#include <algorithm>
#include <optional>

#include <legion/spool/sqlite_journal.hpp>
#include <legion/spool/sqlite_reader.hpp>

namespace legion::spool {
namespace {

constexpr std::size_t blocks_per_call_max = 64;
constexpr std::size_t parts_per_call_max = 16384;

using Part = StreamPage::Part;

// Something stored of a stream: a run in a block, or what a void stands for.
struct Item {
  std::uint64_t first = 0, last = 0;
  CommitNumber block = 0;
  RowId journal = 0;
  Position position_first = 0, position_last = 0;
};

Item read_span(const Rows& rows) {
  const PositionRange positions = read_range(rows, 4);
  return {rows.count(0), rows.count(1), rows.count(2), rows.number(3), positions.first, positions.last};
}

class StreamRead {
 public:
  StreamRead(ReaderState& state, const StreamQuery& query)
      : state_(state), query_(query), last_(std::min(query.last, UINT64_MAX - 1)) {}

  Result<StreamPage> run() {
    find_rows();
    page_.next = std::max<std::uint64_t>(query_.first, 1);
    std::size_t blocks = 0;
    while (page_.next <= last_ && !is_full_ && page_.parts.size() < parts_per_call_max) {
      if (const auto span = span_at(page_.next)) {
        if (++blocks > blocks_per_call_max) break;
        read(*span);
      } else {
        const auto behind = span_behind(page_.next);
        const std::uint64_t end = behind ? std::min(behind->first - 1, last_) : last_;
        explain({page_.next, end}, behind);
        page_.next = end + 1;
      }
    }
    say_of_journals();
    return std::move(page_);
  }

 private:
  struct Gap {
    std::uint64_t first = 0, last = 0;
  };

  void find_rows() {
    const StreamId& id = query_.stream;
    if (Rows rows =
            state_.sql.stream.rows(id.origin.node, id.origin.incarnation, lane_index(id.lane), id.type, id.shard);
        rows.next()) {
      stream_ = rows.number(0);
      trimmed_ = rows.count(1);
    }
    if (Rows rows = state_.sql.span_before.rows(stream_, INT64_MAX); rows.next()) page_.stored_to = rows.count(1);
    journals_.emplace(state_, id.origin);
  }

  std::optional<Item> span_at(std::uint64_t sequence) {
    if (sequence > page_.stored_to) return std::nullopt;
    Rows rows = state_.sql.span_before.rows(stream_, sequence);
    if (!rows.next() || rows.count(1) < sequence) return std::nullopt;
    return read_span(rows);
  }

  std::optional<Item> span_behind(std::uint64_t sequence) {
    if (sequence >= page_.stored_to) return std::nullopt;
    Rows rows = state_.sql.span_behind.rows(stream_, sequence);
    if (!rows.next()) return std::nullopt;
    return read_span(rows);
  }

  void add(Part part) {
    // Neighbours that say the same become one.
    if (part.kind != Part::Kind::Frame && !page_.parts.empty()) {
      Part& before = page_.parts.back();
      if (before.kind == part.kind && before.why == part.why && before.last + 1 == part.first) {
        before.last = part.last;
        return;
      }
    }
    page_.parts.push_back(part);
  }
  void add_held_back(Gap gap) {
    holds_back_ = true;
    add_missing(gap);
  }
  void add_missing(Gap gap) { add({Part::Kind::Missing, gap.first, gap.last, {}, {}}); }
  void add_never(Gap gap, Never why) { add({Part::Kind::Never, gap.first, gap.last, why, {}}); }

  bool is_this_stream(const BlockIndex& index, const BlockFrame& frame) const {
    const BlockStream& stream = index.streams[frame.stream];
    const StreamId& id = query_.stream;
    return stream.type == id.type && stream.lane == id.lane && stream.shard == id.shard &&
           index.origin_of(frame) == id.origin;
  }

  // The frames of a run, from page_.next on.
  void read(const Item& span) {
    const std::uint64_t end = std::min(span.last, last_);
    const LoadedBlockPtr block = state_.blocks.get(span.block);
    if (block == nullptr) {
      add_held_back({page_.next, end});
      page_.next = end + 1;
      return;
    }
    state_.held_blocks.push_back(block);
    for (const BlockFrame& frame : block->index.frames) {
      if (page_.next > end) return;
      const bool is_next = frame.first <= page_.next && page_.next - frame.first < frame.events;
      if (!is_next || !is_this_stream(block->index, frame)) continue;
      const std::uint64_t frame_last = frame.first + frame.events - 1;
      if (frame.held_for > 0 && !journals_->is_released(frame.journal, frame.held_for, frame.position)) {
        add_held_back({page_.next, std::min(frame_last, last_)});
        page_.next = std::min(frame_last, last_) + 1;
        continue;
      }
      if (bytes_ > 0 && bytes_ + frame.bytes > query_.bytes_max) {
        is_full_ = true;
        return;
      }
      bytes_ += frame.bytes;
      add({Part::Kind::Frame, frame.first, frame_last, {}, block->bytes_of(frame)});
      page_.next = frame_last + 1;
    }
    if (page_.next > end) return;
    add_held_back({page_.next, end});  // the span promised more than the block holds
    page_.next = end + 1;
  }

  void say_of_journals() {
    const bool says_through = page_.has_missing() && !holds_back_, says_floor = page_.has(Never::Trimmed);
    for (const JournalKind kind : all_journals) {
      const RowId row = journals_->row_of(kind);
      if (says_floor) page_.floor[journal_index(kind)] = journals_->of(row).floor;
      if (says_through) page_.through[journal_index(kind)] = journals_->through(row);
    }
  }

  // Sequences without a frame, up to the next run (or none: what is behind all that is stored).
  void explain(Gap gap, const std::optional<Item>& behind) {
    std::optional<Item> before;
    if (Rows rows = state_.sql.span_before.rows(stream_, bounded(gap.first)); rows.next()) before = read_span(rows);
    std::optional<Item> next_void = void_before(gap.first);
    if (next_void && next_void->last < gap.first) {
      if (!before || next_void->last > before->last) before = next_void;
      next_void = void_behind(gap.first);
    } else if (!next_void) {
      next_void = void_behind(gap.first);
    }
    for (; next_void && next_void->first <= gap.last; next_void = void_behind(next_void->first)) {
      if (next_void->first > gap.first) explain_between({gap.first, next_void->first - 1}, before, next_void);
      const std::uint64_t last = std::min(next_void->last, gap.last);
      add_never({std::max(next_void->first, gap.first), last}, Never::Voided);
      if (last == gap.last) return;
      before = next_void;
      gap.first = last + 1;
    }
    const bool is_void_next = next_void && (!behind || next_void->first < behind->first);
    explain_between(gap, before, is_void_next ? next_void : behind);
  }

  static std::uint64_t bounded(std::uint64_t sequence) { return std::min<std::uint64_t>(sequence, INT64_MAX); }
  std::optional<Item> void_before(std::uint64_t sequence) {
    return read_void(state_.sql.void_span_before.rows(stream_, bounded(sequence)));
  }
  std::optional<Item> void_behind(std::uint64_t sequence) {
    return read_void(state_.sql.void_span_behind.rows(stream_, bounded(sequence)));
  }
  static std::optional<Item> read_void(Rows rows) {
    if (!rows.next()) return std::nullopt;
    return Item{rows.count(0), rows.count(1), 0, rows.number(2), rows.count(3), rows.count(3)};
  }

  // Neither stored nor voided; what lies next to it on either side.
  void explain_between(Gap gap, const std::optional<Item>& before, const std::optional<Item>& next) {
    if (gap.first <= trimmed_) {
      const std::uint64_t last = std::min(trimmed_, gap.last);
      add_never({gap.first, last}, Never::Trimmed);
      if (last == gap.last) return;
      gap.first = last + 1;
    }
    if (!next) return explain_end(gap, before);
    const Journals::Journal& journal = journals_->of(next->journal);
    if (journals_->through(next->journal) < next->position_first) return add_missing(gap);
    const bool is_between_kept = before && before->journal == next->journal && before->position_last > journal.floor;
    add_never(gap, is_between_kept || journal.floor == 0 ? Never::NotJournalled : Never::Trimmed);
  }

  void explain_end(Gap gap, const std::optional<Item>& before) {
    const bool is_ended = before ? journals_->is_complete(before->journal) : journals_->are_complete();
    is_ended ? add_never(gap, Never::EndOfLife) : add_missing(gap);
  }

  ReaderState& state_;
  const StreamQuery& query_;
  std::uint64_t last_;
  RowId stream_ = 0;
  std::uint64_t trimmed_ = 0;
  std::optional<Journals> journals_;
  StreamPage page_;
  std::size_t bytes_ = 0;
  bool is_full_ = false;
  bool holds_back_ = false;
};

}  // namespace

Result<StreamPage> read_stream(ReaderState& state, const StreamQuery& query) {
  state.held_blocks.clear();
  state.held_frames.clear();
  return StreamRead(state, query).run();
}

Result<std::vector<StreamTail>> tails(ReaderState& state, const Filter& filter, const std::optional<StreamId>& after,
                                      std::size_t max) {
  std::vector<StreamTail> out;
  const StreamId from = after.value_or(StreamId{});
  // Before every stream: no node has an empty name.
  Rows rows = state.sql.streams_behind.rows(from.origin.node, from.origin.incarnation, lane_index(from.lane), from.type,
                                            from.shard);
  while (out.size() < max && rows.next()) {
    const std::string_view type = rows.text(4);
    if (!filter.matches(type)) continue;
    const RowId row = rows.number(0);
    std::uint64_t last = rows.count(6);
    if (Rows span = state.sql.span_before.rows(row, INT64_MAX); span.next()) last = std::max(last, span.count(1));
    if (Rows span = state.sql.last_void_span.rows(row); span.next()) last = std::max(last, span.count(0));
    if (last == 0) continue;
    out.push_back({{{std::string(rows.text(1)), rows.count(2)},
                    static_cast<Priority>(rows.number(3) & 3),
                    std::string(type),
                    static_cast<std::uint8_t>(rows.number(5))},
                   last + 1});
  }
  return out;
}

}  // namespace legion::spool
