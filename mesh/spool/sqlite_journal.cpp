// Journals as a reader sees them: how far they are complete, and their records for another spool.
#include <legion/spool/sqlite_journal.hpp>

#include <algorithm>
#include <map>

#include <legion/spool/position_set.hpp>

namespace legion::spool {

Journals::Journals(ReaderState& state, const Origin& origin) : state_(state) {
  if (Rows rows = state_.sql.origin.rows(origin.node, origin.incarnation); rows.next()) {
    origin_ = rows.number(0);
    for (int i = 0; i < 2; ++i) {
      if (!rows.is_null(1 + i)) finals_[static_cast<std::size_t>(i)] = rows.count(1 + i);
    }
  }
  Rows rows = state_.sql.later_life.rows(origin.node, origin.incarnation);
  has_later_life_ = rows.next();
}

const Journals::Journal& Journals::of(RowId row) {
  if (origin_ == 0 || row / 2 != origin_) return none_;
  const auto index = static_cast<std::size_t>(row % 2);
  std::optional<Journal>& journal = journals_[index];
  if (journal) return *journal;
  journal.emplace();
  journal->final = finals_[index];
  Rows rows = state_.sql.journal.rows(row);
  if (!rows.next()) return *journal;
  journal->floor = rows.count(0);
  for (int i = 0; i < 4; ++i) journal->released[static_cast<std::size_t>(i)] = rows.count(1 + i);
  journal->saved_through = std::max(journal->floor, rows.count(5));
  return *journal;
}

Position Journals::through(RowId row) {
  const Journal& journal = of(row);
  if (journal.through || &journal == &none_) return journal.through.value_or(0);
  Position through = journal.saved_through;
  // What came since: the rows of frames and of voids, taken together in the order of positions.
  const auto start = [&](Query& before) {
    Rows rows = before.rows(row, through + 1);
    return rows.next() ? rows.count(0) : through + 1;
  };
  const Position first_frame = start(state_.sql.position_before);
  const Position first_void = start(state_.sql.void_before);
  Rows frames = state_.sql.positions_from.rows(row, first_frame);
  Rows voids = state_.sql.voids_from.rows(row, first_void);
  bool has_frame = frames.next(), has_void = voids.next();
  while (has_frame || has_void) {
    const bool takes_frame = has_frame && (!has_void || frames.count(0) < voids.count(0));
    const Rows& rows = takes_frame ? frames : voids;
    if (rows.count(0) > through + 1) break;
    through = std::max(through, rows.count(1));
    takes_frame ? has_frame = frames.next() : has_void = voids.next();
  }
  journals_[static_cast<std::size_t>(row % 2)]->through = through;
  return through;
}

bool Journals::is_released(JournalKind kind, std::uint8_t held_for, Position position) {
  const bool is_over = has_later_life_ || finals_[0] || finals_[1];
  if (is_over && held_for == 1) return true;  // this spool is the one
  const Journal& journal = of(journal_row(origin_, kind));
  return held_for <= journal.released.size() && journal.released[held_for - 1u] >= position;
}

Position Journals::last_of(RowId row) {
  Position last = of(row).saved_through;
  if (Rows rows = state_.sql.last_position.rows(row); rows.next()) last = std::max(last, rows.count(0));
  if (Rows rows = state_.sql.last_void.rows(row); rows.next()) last = std::max(last, rows.count(0));
  return last;
}

bool Journals::is_complete(RowId row) {
  const Journal& journal = of(row);
  if (journal.final) return through(row) >= *journal.final;
  return has_later_life_ && through(row) >= last_of(row);
}

bool Journals::are_complete() {
  // Of an origin that was never heard of, only that it has a later life says anything.
  if (origin_ == 0) return has_later_life_;
  return std::ranges::all_of(all_journals, [&](JournalKind kind) { return is_complete(journal_row(origin_, kind)); });
}

namespace {

/// Records of one journal in the order of positions, from frames, voids and what neither has any more.
class JournalRead {
 public:
  JournalRead(ReaderState& state, const Origin& origin, JournalKind kind, PositionRange range, std::size_t bytes_max)
      : state_(state), origin_(origin), kind_(kind), range_(range), bytes_max_(bytes_max) {}

  std::vector<JournalRecord> run(RowId row) {
    add_voids(row);
    PositionSet known;
    collect_runs(row, known);
    add_dropped(row, known);
    std::vector<JournalRecord> out;
    std::size_t bytes = 0;
    for (auto& [first, piece] : pieces_) {
      if (piece.block == 0) {
        out.push_back(std::move(piece.record));
        continue;
      }
      if (!add_frames(piece, out, bytes)) break;
    }
    return out;
  }

 private:
  struct Piece {
    JournalRecord record;   // of a void
    PositionRange range;
    CommitNumber block = 0; // of frames
  };

  JournalRecord make_void(PositionRange range, std::vector<StreamSpan> spans) const {
    return {origin_, kind_, range.first, range.last, 0, nullptr, std::move(spans)};
  }

  void add_voids(RowId row) {
    Position first = range_.first;
    if (Rows rows = state_.sql.void_before.rows(row, first); rows.next()) first = rows.count(0);
    Rows rows = state_.sql.voids_from.rows(row, first);
    while (rows.next() && rows.count(0) <= range_.last) {
      const PositionRange range{std::max(rows.count(0), range_.first), std::min(rows.count(1), range_.last)};
      if (range.first > range.last) continue;
      auto spans = decode_spans(rows.blob(2));
      pieces_[range.first] = {make_void(range, spans ? std::move(*spans) : std::vector<StreamSpan>{}), range, 0};
      if (pieces_.size() >= pieces_max) range_.last = range.last;
    }
  }

  void collect_runs(RowId row, PositionSet& known) {
    Position first = range_.first;
    if (Rows rows = state_.sql.position_before.rows(row, first); rows.next()) first = rows.count(0);
    Rows rows = state_.sql.positions_from.rows(row, first);
    for (std::size_t runs = 0; rows.next() && rows.count(0) <= range_.last;) {
      const PositionRange range{std::max(rows.count(0), range_.first), std::min(rows.count(1), range_.last)};
      if (range.first > range.last) continue;
      pieces_[range.first] = {{}, range, rows.count(2)};
      if (++runs >= pieces_max) range_.last = range.last;
    }
    pieces_.erase(pieces_.upper_bound(range_.last), pieces_.end());
    for (const auto& [at, piece] : pieces_) known.add(piece.range);
  }

  // Positions that are held and have neither: superseded records that merging dropped.
  void add_dropped(RowId row, const PositionSet& known) {
    PositionSet held;
    {
      Rows rows = state_.sql.journal.rows(row);
      if (!rows.next()) return;
      const auto saved = decode_ranges(rows.blob(6));
      if (!saved) return;
      for (const PositionRange& range : *saved) held.add(range);
    }
    for (const PositionRange& saved : held.common(range_)) {
      for (const PositionRange& range : known.missing(saved)) pieces_[range.first] = {make_void(range, {}), range, 0};
    }
  }

  bool add_frames(const Piece& piece, std::vector<JournalRecord>& out, std::size_t& bytes) {
    const LoadedBlockPtr block = state_.blocks.get(piece.block);
    if (block == nullptr) return true;
    std::vector<const BlockFrame*> frames;
    for (const BlockFrame& frame : block->index.frames) {
      const bool is_in = piece.range.first <= frame.position && frame.position <= piece.range.last;
      if (is_in && frame.journal == kind_ && block->index.origin_of(frame) == origin_) frames.push_back(&frame);
    }
    std::ranges::sort(frames, {}, &BlockFrame::position);
    for (const BlockFrame* frame : frames) {
      if (bytes > 0 && bytes + frame->bytes > bytes_max_) return false;
      bytes += frame->bytes;
      const BytesView view = block->bytes_of(*frame);
      out.push_back({origin_,
                     kind_,
                     frame->position,
                     frame->position,
                     frame->held_for,
                     std::make_shared<const Bytes>(view.begin(), view.end()),
                     {}});
    }
    return true;
  }

  static constexpr std::size_t pieces_max = 1024;

  ReaderState& state_;
  Origin origin_;
  JournalKind kind_;
  PositionRange range_;
  std::size_t bytes_max_;
  std::map<Position, Piece> pieces_;
};

}  // namespace

Result<std::vector<JournalRecord>> read_journal(ReaderState& state, const Origin& origin, JournalKind journal,
                                                PositionRange range, std::size_t bytes_max) {
  RowId row = 0;
  if (Rows rows = state.sql.origin.rows(origin.node, origin.incarnation); rows.next()) row = rows.number(0);
  range.last = std::min<Position>(range.last, INT64_MAX - 1);
  if (row == 0 || range.first == 0 || range.first > range.last) return std::vector<JournalRecord>{};
  return JournalRead(state, origin, journal, range, bytes_max).run(journal_row(row, journal));
}

}  // namespace legion::spool
