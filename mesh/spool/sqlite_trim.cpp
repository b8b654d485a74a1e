// Retention: whole blocks from the oldest on, except what a durable subscription still has to do.
#include <algorithm>
#include <map>
#include <optional>

#include <legion/event/share.hpp>
#include <legion/spool/record_compaction.hpp>
#include <legion/spool/sqlite_rebuild.hpp>
#include <legion/spool/sqlite_upkeep.hpp>

namespace legion::spool {
namespace {

constexpr std::size_t blocks_a_step_max = 32;
constexpr Duration look_again_after = 1s;

/// What the durable subscriptions have not done yet.
class Cursors {
 public:
  explicit Cursors(WriterState& state) : state_(state) {
    for (const CursorState& cursor : state.records.tables().cursor_heads()) {
      if (cursor.merged.form == CursorRecord::Form::Removed) continue;
      const auto about = CursorFilter::parse(cursor.merged.filter);
      if (about) names_.emplace_back(cursor.merged.subscription, *about);
    }
  }

  bool need(const StreamId& stream, std::uint64_t last) {
    return std::ranges::any_of(names_, [&](const auto& name) {
      if (!name.second.matches(stream)) return false;
      const auto cursor = state_.records.tables().stream_cursor(name.first, stream);
      return !cursor || cursor->done < last;
    });
  }

 private:
  WriterState& state_;
  std::vector<std::pair<std::string, CursorFilter>> names_;
};

/// One step of retention.
class Trim {
 public:
  Trim(WriterState& state, WallTime now, const RetentionPolicy& policy)
      : state_(state),
        now_(now),
        policy_(policy),
        stream_(state.database,
                "SELECT node, incarnation, lane, type, shard"
                " FROM stream WHERE id = ?") {}

  // Blocks that may go, oldest first.
  std::vector<BlockRow> find() {
    std::vector<BlockRow> out;
    std::uint64_t bytes = state_.head.body_bytes;
    Rows rows = state_.sql.blocks_from.rows(1);
    while (out.size() < blocks_a_step_max && rows.next()) {
      BlockRow row = read_block_row(rows);
      if (row.has(block_quarantined) || !row.has(block_has_events)) continue;
      const bool is_old = policy_.retain_for && now_ - WallTime{row.recorded.max} > *policy_.retain_for;
      const bool is_too_much = policy_.retain_bytes && bytes > *policy_.retain_bytes;
      if ((!is_old && !is_too_much) || is_needed(row)) break;
      bytes -= row.stored_bytes;
      out.push_back(std::move(row));
    }
    return out;
  }

  void remove(const BlockRow& row) {
    const auto contents = decode_contents(row.encoded_contents);
    if (!contents) return state_.shared->report_damage(row.first);
    if (!row.has(block_has_records)) {
      for (const BlockPositions& run : contents->positions) raise_floor(run.journal, run.range.last);
      for (const BlockSpan& span : contents->spans) state_.sql.trim_stream.run(span.last, span.stream);
      remove_block(state_, row);
      return;
    }
    const auto block = load_block_at(state_, row.first);
    if (!block) return;
    for (const BlockFrame& frame : block->index.frames) {
      const BlockStream& stream = block->index.streams[frame.stream];
      if (stream.type == record_type) continue;
      OriginBook& book = origin_book(state_, block->index.origin_of(frame));
      raise_floor(book.of(frame.journal).row, frame.position);
      const std::string topic = stream.type + '\0' + static_cast<char>(stream.shard);
      state_.sql.trim_stream.run(frame.first + frame.events - 1, stream_row(state_, book, stream.lane, topic));
    }
    // What is left of it can be merged with what is left of its neighbours.
    state_.head.merge_from = 1;
    const auto superseded = superseded_records(state_.records.tables(), {&*block, 1});
    rebuild(state_, {&*block, 1}, [&](const LoadedBlock& in, const BlockFrame& frame) {
      const bool is_record = in.index.streams[frame.stream].type == record_type;
      return is_record && !superseded.contains(frame.number) ? Keep::Frame : Keep::Number;
    });
  }

  // After remove(): what lies at or below the new floors and is not there any more is not missing.
  void apply_floors() {
    for (auto& [origin, book] : state_.books) {
      for (JournalBook& journal : book.journals) {
        const auto raised = floors_.find(journal.row);
        // Also where the floor was as high before: frames at or below it are gone now.
        if (raised != floors_.end()) spool::raise_floor(state_, journal, std::max(journal.floor, raised->second));
      }
    }
    save(state_);
  }

 private:
  bool is_needed(const BlockRow& row) {
    if (policy_.cursors == RetentionPolicy::Cursors::Ignore) return false;
    if (!cursors_) cursors_.emplace(state_);
    const auto contents = decode_contents(row.encoded_contents);
    if (!contents) return false;
    return std::ranges::any_of(contents->spans, [&](const BlockSpan& span) {
      Rows rows = stream_.rows(span.stream);
      if (!rows.next()) return false;
      return cursors_->need({{std::string(rows.text(0)), rows.count(1)},
                             static_cast<Priority>(rows.number(2) & 3),
                             std::string(rows.text(3)),
                             static_cast<std::uint8_t>(rows.number(4))},
                            span.last);
    });
  }

  void raise_floor(RowId journal, Position position) {
    Position& floor = floors_[journal];
    floor = std::max(floor, position);
  }

  WriterState& state_;
  WallTime now_;
  const RetentionPolicy& policy_;
  Query stream_;
  std::optional<Cursors> cursors_;
  std::map<RowId, Position> floors_;
};

// A void that goes beyond the floor is left from there on.
void cut_void(WriterState& state, RowId journal, Position floor) {
  PositionRange range;
  Bytes spans;
  {
    Rows rows = state.sql.void_at.rows(journal, floor);
    if (!rows.next() || rows.count(1) <= floor) return;
    range = read_range(rows, 0);
    spans.assign(rows.blob(2).begin(), rows.blob(2).end());
  }
  state.sql.remove_void.run(journal, range.first);
  state.sql.put_void.run(journal, floor + 1, range.last, spans);
}

bool is_due(WriterState& state, WallTime now, const RetentionPolicy& policy) {
  if (!policy.retain_for && !policy.retain_bytes) return false;
  const Duration since = now - state.retention_looked;
  return state.is_retention_due || policy != state.retention || since < Duration::zero() || since >= look_again_after;
}

}  // namespace

void raise_floor(WriterState& state, JournalBook& journal, Position floor) {
  journal.floor = floor;
  journal.is_unsaved = true;
  cut_void(state, journal.row, floor);
  state.sql.remove_voids_up_to.run(journal.row, floor);
  state.sql.remove_void_spans_up_to.run(journal.row, floor);
  journal.voids.remove({1, floor});
  journal.held.remove({1, floor});
  Rows rows = state.sql.positions_up_to.rows(journal.row, floor);
  while (rows.next()) journal.held.add(read_range(rows, 0));
}

Result<bool> trim_step(WriterState& state, WallTime now, const RetentionPolicy& retention) {
  if (!is_due(state, now, retention)) return false;
  state.retention_looked = now;
  state.retention = retention;
  state.is_retention_due = false;
  Trim trim(state, now, retention);
  std::vector<BlockRow> rows;
  const auto found = guarded("cannot read " + state.path, [&]() -> Result<void> {
    rows = trim.find();
    return {};
  });
  if (!found) {
    freeze(state, found.error());
    return std::unexpected(found.error());
  }
  if (rows.empty()) return false;
  state.is_retention_due = true;
  const auto written = write(state, "trim", Sync::WithTheNext, [&] {
    for (const BlockRow& row : rows) trim.remove(row);
    trim.apply_floors();
    load_times(state);
  });
  if (!written) return std::unexpected(written.error());
  return true;
}

}  // namespace legion::spool
