#include <legion/spool/sqlite_append.hpp>

#include <algorithm>

#include <legion/spool/journal_check.hpp>
#include <legion/spool/sqlite_upkeep.hpp>

namespace legion::spool {
namespace {

constexpr std::uint64_t log_bytes_factor = 4;  // beyond it nobody called maintain() in time

std::string topic_of(const StreamSpan& span) {
  std::string topic = span.type;
  topic += '\0';
  topic += static_cast<char>(span.shard);
  return topic;
}

/// One append: from records to blocks and rows. When its transaction fails, undo() puts the books back.
class AppendRun {
 public:
  AppendRun(WriterState& state, WallTime now, std::size_t bytes)
      : state_(state), now_(now), block_bytes_(share_of(bytes, state.options.block_bytes)), head_before_(state.head) {}

  void add(const JournalRecord& record, const FrameHeader& header) {
    OriginBook& book = book_of(record.origin);
    record.is_void() ? add_void(record, book) : add_frame(record, header, book);
  }

  void finish() {
    flush();
    for (const JournalRecord* record : record_frames_) {
      for (const StampedRecord& stamped : records_of(*record->frame)) state_.records.apply(stamped, record->origin);
    }
    for (OriginBook* book : closed_) {
      for (JournalBook& journal : book->journals) {
        if (journal.is_unsaved) save_journal(state_, journal);
      }
    }
  }

  void undo() {
    spool::undo(changes_);
    state_.head = head_before_;
    for (const Origin& origin : new_origins_) state_.books.erase(origin);
  }

 private:
  // Equal blocks instead of full ones and a small rest that waits to be merged.
  static std::size_t share_of(std::size_t bytes, std::size_t block_bytes) {
    return bytes / std::max<std::size_t>(1, (bytes + block_bytes / 2) / block_bytes);
  }

  OriginBook& book_of(const Origin& origin) {
    if (last_book_ != nullptr && last_book_->origin == origin) return *last_book_;
    const std::size_t before = state_.books.size();
    last_book_ = &origin_book(state_, origin);
    if (state_.books.size() > before) new_origins_.push_back(origin);
    return *last_book_;
  }

  void add_positions(PositionSet& set, PositionRange range) {
    set.add(range);
    changes_.push_back({&set, range, BookChange::Kind::Added});
  }

  // What closes a hole is saved at once: readers know by the saved row how far a journal goes where rows are dropped.
  void note_change(OriginBook& book, JournalBook& journal, Position position) {
    journal.is_unsaved = true;
    if (position > journal.held.last() || std::ranges::find(closed_, &book) != closed_.end()) return;
    closed_.push_back(&book);
  }

  void add_frame(const JournalRecord& record, const FrameHeader& header, OriginBook& book) {
    JournalBook& journal = book.of(record.journal);
    const bool takes_void = journal.voids.contains(record.first);
    if (!takes_void && (record.first <= journal.floor || journal.held.contains(record.first))) return;
    if (takes_void) {
      cut_void(journal, record.first);
    } else {
      note_change(book, journal, record.first);
      add_positions(journal.held, {record.first, record.first});
    }
    if (is_building_ && state_.builder.frame_bytes() + record.frame->size() / 2 > block_bytes_) flush();
    if (!is_building_) {
      state_.builder.begin(state_.head.next, state_.head.chain);
      is_building_ = true;
    }
    const std::string_view topic = as_text(BytesView(*record.frame).first(header.type.size() + 2));
    state_.builder.add({.bytes = *record.frame,
                        .header = header,
                        .origin = &record.origin,
                        .journal = record.journal,
                        .position = record.first,
                        .held_for = record.held_for,
                        .place = takes_void ? BlockFrame::Place::OfVoid : BlockFrame::Place::New,
                        .recorded = now_,
                        .stream_row = stream_row(state_, book, header.lane, topic),
                        .journal_row = journal.row});
    state_.head.chain =
        chain_link(state_.head.chain, digest_of(*record.frame), record.origin, record.journal, record.first);
    state_.head.next = state_.builder.next();
    if (header.type == record_type) record_frames_.push_back(&record);
  }

  void add_void(const JournalRecord& record, OriginBook& book) {
    JournalBook& journal = book.of(record.journal);
    if (record.last <= journal.floor) return;
    const PositionRange range{std::max(record.first, journal.floor + 1), record.last};
    const std::vector<PositionRange> parts = journal.held.missing(range);
    if (parts.empty()) return;
    const Bytes spans = encode(record.spans);
    for (const PositionRange& part : parts) {
      state_.sql.put_void.run(journal.row, part.first, part.last, spans);
      note_change(book, journal, part.first);
      add_positions(journal.held, part);
      add_positions(journal.voids, part);
    }
    for (const StreamSpan& span : record.spans) {
      add_void_span(stream_row(state_, book, span.lane, topic_of(span)), span, journal.row, record.last);
    }
  }

  // Spans of one stream that overlap, as when the origin has merged what it sent before, become one.
  void add_void_span(RowId stream, const StreamSpan& span, RowId journal, Position position) {
    std::uint64_t first = span.first, last = span.last;
    for (;;) {
      std::uint64_t found = 0;
      {
        Rows rows = state_.sql.void_span_before.rows(stream, journal, last);
        if (!rows.next() || rows.count(1) < first) break;
        found = rows.count(0);
        first = std::min(first, found);
        last = std::max(last, rows.count(1));
        position = std::max(position, rows.count(2));
      }
      state_.sql.remove_void_span.run(stream, journal, found);
    }
    state_.sql.put_void_span.run(stream, first, last, journal, position);
  }

  // A frame came after all: what is left of the void are the parts before and behind it.
  void cut_void(JournalBook& journal, Position position) {
    PositionRange range;
    Bytes spans;
    {
      Rows rows = state_.sql.void_at.rows(journal.row, position);
      if (rows.next()) {
        range = read_range(rows, 0);
        spans.assign(rows.blob(2).begin(), rows.blob(2).end());
      }
    }
    state_.sql.remove_void.run(journal.row, range.first);
    if (range.first < position) state_.sql.put_void.run(journal.row, range.first, position - 1, spans);
    if (range.last > position) state_.sql.put_void.run(journal.row, position + 1, range.last, spans);
    journal.voids.remove({position, position});
    changes_.push_back({&journal.voids, {position, position}, BookChange::Kind::Removed});
  }

  void flush() {
    if (!is_building_) return;
    insert_block(state_, state_.builder.seal(state_.head.chain));
    is_building_ = false;
  }

  WriterState& state_;
  WallTime now_;
  std::size_t block_bytes_;
  StoreHead head_before_;
  bool is_building_ = false;
  OriginBook* last_book_ = nullptr;
  std::vector<BookChange> changes_;
  std::vector<Origin> new_origins_;
  std::vector<OriginBook*> closed_;
  std::vector<const JournalRecord*> record_frames_;
};

bool is_news(const WriterState& state, const JournalRecord& record) {
  const auto book = state.books.find(record.origin);
  if (book == state.books.end()) return true;
  const JournalBook& journal = book->second.journals[journal_index(record.journal)];
  if (record.last <= journal.floor) return !record.is_void() && journal.voids.contains(record.first);
  if (!record.is_void()) return !journal.held.contains(record.first) || journal.voids.contains(record.first);
  return !journal.held.missing({std::max(record.first, journal.floor + 1), record.last}).empty();
}

}  // namespace

Result<void> append(WriterState& state, std::span<const JournalRecord> records, WallTime now) {
  if (auto ok = writable(state); !ok) return ok;
  std::vector<FrameHeader> headers;
  headers.reserve(records.size());
  bool has_news = false;
  std::size_t bytes = 0;
  for (const JournalRecord& record : records) {
    auto header = check_record(record);
    if (!header) return std::unexpected(std::move(header.error()));
    headers.push_back(*header);
    if (!record.is_void()) bytes += record.frame->size();
    has_news = has_news || is_news(state, record);
  }
  if (!has_news) return {};
  if (auto limited = limit_log(state, log_bytes_factor * state.options.log_bytes); !limited) return limited;
  AppendRun run(state, now, bytes);
  const auto written = write(state, "append to", Sync::Now, [&] {
    for (std::size_t i = 0; i < records.size(); ++i) run.add(records[i], headers[i]);
    run.finish();
  });
  if (!written) {
    run.undo();
    return written;
  }
  if (state.shared->oldest == SharedFigures::no_time) state.shared->oldest = now.ns;
  state.shared->newest = now.ns;
  state.is_retention_due = true;
  state.shared->dead_letters += static_cast<std::uint64_t>(state.records.take_dead_change());
  state.shared->stale_cursors += state.records.take_stale_cursors();
  return {};
}

}  // namespace legion::spool
