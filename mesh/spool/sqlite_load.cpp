// What the writing half reads when a store is opened, and writes so that it is little.
#include <algorithm>

#include <legion/spool/sqlite_state.hpp>
#include <legion/spool/sqlite_upkeep.hpp>

namespace legion::spool {
namespace {

void load_meta(WriterState& state, Bytes& head) {
  Query query(state.database, "SELECT name, value FROM meta");
  Rows rows = query.rows();
  while (rows.next()) {
    const std::string_view name = rows.text(0);
    const BytesView value = rows.blob(1);
    if (name == "store" && value.size() == state.id.bytes.size()) std::ranges::copy(value, state.id.bytes.begin());
    if (name == "state") head.assign(value.begin(), value.end());
    if (name == "copies") state.copies = rows.number(1);
  }
}

void load_origins(WriterState& state, std::map<RowId, OriginBook*>& by_row) {
  Query query(state.database, "SELECT id, node, incarnation, boot, final_confirmed, final_captured FROM origin");
  Rows rows = query.rows();
  while (rows.next()) {
    OriginBook book;
    book.row = rows.number(0);
    book.origin = {std::string(rows.text(1)), rows.count(2)};
    if (const BytesView boot = rows.blob(3); boot.size() == sizeof(BootId::bytes)) {
      std::ranges::copy(boot, book.boot.emplace().bytes.begin());
    }
    for (const JournalKind kind : all_journals) {
      book.of(kind).row = journal_row(book.row, kind);
      const int column = 4 + static_cast<int>(journal_index(kind));
      if (!rows.is_null(column)) book.of(kind).final = rows.count(column);
    }
    const Origin origin = book.origin;
    OriginBook& placed = state.books.emplace(origin, std::move(book)).first->second;
    by_row.emplace(placed.row, &placed);
  }
}

JournalBook* find(std::map<RowId, OriginBook*>& by_row, RowId journal) {
  const auto found = by_row.find(journal / 2);
  return found == by_row.end() ? nullptr : &found->second->journals[static_cast<std::size_t>(journal % 2)];
}

Result<void> load_journals(WriterState& state, std::map<RowId, OriginBook*>& by_row) {
  Query query(state.database, "SELECT id, floor, released_1, released_2, released_3, released_4, held FROM journal");
  Rows rows = query.rows();
  while (rows.next()) {
    JournalBook* journal = find(by_row, rows.number(0));
    if (journal == nullptr) return fail(ErrorCode::BadData, "a journal has no origin");
    journal->floor = rows.count(1);
    for (int i = 0; i < 4; ++i) journal->released[static_cast<std::size_t>(i)] = rows.count(2 + i);
    const auto held = decode_ranges(rows.blob(6));
    if (!held) return std::unexpected(held.error());
    for (const PositionRange& range : *held) journal->held.add(range);
  }
  return {};
}

void hold(JournalBook* journal, PositionRange range) {
  if (journal == nullptr) return;
  journal->held.add(range);
  journal->is_unsaved = true;
}

bool has_rows_of(WriterState& state, const BlockContents& contents, CommitNumber block) {
  return std::ranges::all_of(contents.positions, [&](const BlockPositions& run) {
    return state.sql.position_of_block.rows(run.journal, run.range.first, run.range.last, block).next();
  });
}

// What was committed since the head was saved. A block's own list of what it holds may be damaged: what a spool says it
// has is what readers find.
Result<void> replay_blocks(WriterState& state, std::map<RowId, OriginBook*>& by_row) {
  Rows rows = state.sql.blocks_from.rows(state.head.replay_from);
  while (rows.next()) {
    BlockRow row = read_block_row(rows);
    bound_block_row(row, 0);
    state.head.next = std::max(state.head.next, row.last + 1);
    state.head.chain = row.chain_after;
    state.head.frames += row.frames;
    state.head.events += row.events;
    state.head.body_bytes += row.stored_bytes;
    ++state.head.blocks;
    const auto contents = decode_contents(row.encoded_contents);
    if (contents && has_rows_of(state, *contents, row.first)) {
      for (const BlockPositions& run : contents->positions) hold(find(by_row, run.journal), run.range);
      continue;
    }
    state.shared->report_damage(row.first);
    for (Rows held = state.sql.positions_of_block.rows(row.first); held.next();) {
      hold(find(by_row, held.number(0)), read_range(held, 1));
    }
  }
  return {};
}

void load_voids(WriterState& state, std::map<RowId, OriginBook*>& by_row) {
  Query query(state.database, "SELECT journal, first, last FROM void");
  Rows rows = query.rows();
  while (rows.next()) {
    JournalBook* journal = find(by_row, rows.number(0));
    if (journal == nullptr) continue;
    const PositionRange range{rows.count(1), rows.count(2)};
    if (range.first == 0 || range.last < range.first) continue;
    hold(journal, range);
    journal->voids.add(range);
  }
}

}  // namespace

void load_times(WriterState& state) {
  // Of the first block and the last; a clock that stepped back in between does not matter here.
  Query oldest(state.database, "SELECT recorded_min FROM block ORDER BY first LIMIT 1");
  Query newest(state.database, "SELECT recorded_max FROM block ORDER BY first DESC LIMIT 1");
  Rows first = oldest.rows(), last = newest.rows();
  state.shared->oldest = first.next() ? first.number(0) : SharedFigures::no_time;
  state.shared->newest = last.next() ? last.number(0) : SharedFigures::no_time;
}

Result<void> load(WriterState& state) {
  Bytes head;
  load_meta(state, head);
  if (!head.empty()) {
    auto decoded = decode_head(head);
    if (!decoded) return std::unexpected(std::move(decoded.error()));
    state.head = *decoded;
    state.saved_head = head;
  }
  std::map<RowId, OriginBook*> by_row;
  load_origins(state, by_row);
  if (auto loaded = load_journals(state, by_row); !loaded) return loaded;
  if (auto replayed = replay_blocks(state, by_row); !replayed) return replayed;
  load_voids(state, by_row);
  load_times(state);
  state.options.page_bytes = state.database.execAndGet("PRAGMA page_size").getUInt();
  measure_database(state);
  state.shared->dead_letters = state.records.tables().dead_letters();
  publish_figures(state);
  return {};
}

void save(WriterState& state) {
  for (auto& [origin, book] : state.books) {
    for (JournalBook& journal : book.journals) {
      if (journal.is_unsaved) save_journal(state, journal);
    }
  }
  state.head.replay_from = state.head.next;
  Bytes head = encode(state.head);
  if (head == state.saved_head) return;
  state.sql.put_meta.run("state", head);
  state.saved_head = std::move(head);
}

}  // namespace legion::spool
