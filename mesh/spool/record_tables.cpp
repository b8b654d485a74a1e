#include <legion/spool/record_tables.hpp>

#include <algorithm>
#include <variant>

#include <legion/spool/block_contents.hpp>
#include <legion/spool/varint.hpp>

namespace legion::spool {
namespace {

constexpr const char* select_cursor =
    "SELECT counter, node, filter, form, updated, by_node, by_incarnation FROM cursor WHERE subscription = ?";
constexpr const char* select_streams =
    "SELECT node, incarnation, lane, type, shard, done, ahead FROM cursor_stream WHERE subscription = ?";
constexpr const char* select_letters =
    "SELECT key, event, agent, subscription, round, state, requeues, attempts, death_round, deaths"
    " FROM dead_letter";

Bytes encode_ahead(const StreamCursor& cursor) {
  std::vector<PositionRange> ranges;
  for (const auto& [first, last] : cursor.ahead) ranges.push_back({first, last});
  return encode(ranges);
}

StreamCursor read_stream(const Rows& rows, StreamId stream, int done_column) {
  StreamCursor cursor{std::move(stream), rows.count(done_column), {}};
  const auto ahead = decode_ranges(rows.blob(done_column + 1));
  if (!ahead) return cursor;
  for (const PositionRange& range : *ahead) cursor.ahead.emplace_back(range.first, range.last);
  return cursor;
}

StreamId read_stream_id(const Rows& rows) {
  return {.origin = {std::string(rows.text(0)), rows.count(1)},
          .lane = static_cast<Priority>(rows.number(2) & 3),
          .type = std::string(rows.text(3)),
          .shard = static_cast<std::uint8_t>(rows.number(4))};
}

Bytes encode_deaths(const std::vector<LetterDeath>& deaths) {
  Bytes out;
  put_varint(out, deaths.size());
  for (const LetterDeath& death : deaths) {
    put_text(out, death.agent);
    put_text(out, death.reason);
    put_varint(out, death.attempts);
    put_text(out, death.error);
    put_varint(out, static_cast<std::uint64_t>(death.first.ns));
    put_varint(out, static_cast<std::uint64_t>(death.last.ns));
  }
  return out;
}

std::vector<LetterDeath> decode_deaths(BytesView bytes) {
  VarintReader in(bytes);
  std::vector<LetterDeath> out(in.count(6));
  for (LetterDeath& death : out) {
    death.agent = in.text();
    death.reason = in.text();
    death.attempts = static_cast<std::uint32_t>(in.number());
    death.error = in.text();
    death.first.ns = static_cast<std::int64_t>(in.number());
    death.last.ns = static_cast<std::int64_t>(in.number());
  }
  return in.at_end() ? out : std::vector<LetterDeath>{};
}

// Without the frame.
KeptLetter read_letter(const Rows& rows) {
  KeptLetter letter;
  letter.record = {.event = std::string(rows.text(1)),
                   .agent = std::string(rows.text(2)),
                   .subscription = std::string(rows.text(3)),
                   .round = static_cast<std::uint32_t>(rows.number(4)),
                   .state = static_cast<LetterState>(rows.number(5) & 3),
                   .requeues = static_cast<std::uint32_t>(rows.number(6)),
                   .attempts = static_cast<std::uint32_t>(rows.number(7)),
                   .deaths = decode_deaths(rows.blob(9)),
                   .frame = {}};
  letter.death_round = static_cast<std::uint32_t>(rows.number(8));
  return letter;
}

AttemptRecord read_attempt(const Rows& rows) {
  return {.subscription = std::string(rows.text(0)),
          .event = std::string(rows.text(1)),
          .attempts = static_cast<std::uint32_t>(rows.number(2)),
          .error = std::string(rows.text(3)),
          .first = {rows.number(4)},
          .last = {rows.number(5)}};
}

std::optional<StreamId> stream_of(const std::string& event, std::uint64_t& sequence) {
  const auto id = EventId::parse(event);
  if (!id) return std::nullopt;
  sequence = id->sequence;
  return StreamId{{id->node, id->incarnation}, id->lane, id->type, id->shard};
}

}  // namespace

RecordTables::RecordTables(SQLite::Database& database)
    : cursor_names_(database, "SELECT subscription FROM cursor ORDER BY subscription"),
      cursor_(database, select_cursor),
      cursor_streams_(database, (std::string(select_streams) + " ORDER BY node, incarnation, lane, type, shard").c_str()),
      stream_cursor_(database, (std::string(select_streams) +
                                " AND node = ? AND incarnation = ? AND lane = ? AND type = ? AND shard = ?")
                                   .c_str()),
      attempts_(database,
                "SELECT subscription, event, attempts, error, first_time, last_time FROM attempt"
                " WHERE subscription = ? ORDER BY event"),
      attempt_(database,
               "SELECT subscription, event, attempts, error, first_time, last_time FROM attempt"
               " WHERE subscription = ? AND event = ?"),
      letters_(database, (std::string(select_letters) + " WHERE key > ? ORDER BY key").c_str()),
      letter_(database, (std::string(select_letters) + " WHERE key = ?").c_str()),
      letter_frame_(database, "SELECT frame FROM dead_letter WHERE key = ?"),
      dead_letters_(database, "SELECT count(*) FROM dead_letter WHERE state = 0") {}

std::vector<CursorState> RecordTables::cursor_heads() {
  std::vector<std::string> names;
  for (Rows rows = cursor_names_.rows(); rows.next();) names.emplace_back(rows.text(0));
  std::vector<CursorState> out;
  for (const std::string& name : names) {
    if (auto state = cursor_head(name)) out.push_back(std::move(*state));
  }
  return out;
}

std::vector<CursorState> RecordTables::cursors() {
  std::vector<CursorState> out = cursor_heads();
  for (CursorState& state : out) {
    Rows rows = cursor_streams_.rows(state.merged.subscription);
    while (rows.next()) state.merged.streams.push_back(read_stream(rows, read_stream_id(rows), 5));
  }
  return out;
}

std::optional<CursorState> RecordTables::cursor_head(std::string_view subscription) {
  Rows rows = cursor_.rows(subscription);
  if (!rows.next()) return std::nullopt;
  CursorState state;
  state.merged.subscription = subscription;
  state.merged.generation = {rows.count(0), std::string(rows.text(1))};
  state.merged.filter = rows.text(2);
  state.merged.form = static_cast<CursorRecord::Form>(rows.number(3));
  state.updated.ns = rows.number(4);
  state.by = {std::string(rows.text(5)), rows.count(6)};
  return state;
}

std::optional<CursorState> RecordTables::cursor(std::string_view subscription) {
  std::optional<CursorState> state = cursor_head(subscription);
  if (!state) return std::nullopt;
  Rows rows = cursor_streams_.rows(subscription);
  while (rows.next()) state->merged.streams.push_back(read_stream(rows, read_stream_id(rows), 5));
  return state;
}

std::optional<StreamCursor> RecordTables::stream_cursor(std::string_view subscription, const StreamId& stream) {
  Rows rows = stream_cursor_.rows(subscription, stream.origin.node, stream.origin.incarnation, lane_index(stream.lane),
                                  stream.type, stream.shard);
  if (!rows.next()) return std::nullopt;
  return read_stream(rows, stream, 5);
}

std::vector<AttemptRecord> RecordTables::attempts(std::string_view subscription) {
  std::vector<AttemptRecord> out;
  Rows rows = attempts_.rows(subscription);
  while (rows.next()) out.push_back(read_attempt(rows));
  return out;
}

std::optional<AttemptRecord> RecordTables::attempt(std::string_view subscription, std::string_view event) {
  Rows rows = attempt_.rows(subscription, event);
  if (!rows.next()) return std::nullopt;
  return read_attempt(rows);
}

std::vector<LetterRecord> RecordTables::letters(const LetterChoice& choice, const LetterQuery& query) {
  std::vector<LetterRecord> out;
  Rows rows = letters_.rows(query.after);
  while (out.size() < query.max && rows.next()) {
    LetterRecord letter = read_letter(rows).record;
    if (!choice.matches(letter)) continue;
    if (query.payload == LetterQuery::Payload::With) {
      Rows frame = letter_frame_.rows(rows.text(0));
      if (frame.next()) letter.frame.assign(frame.blob(0).begin(), frame.blob(0).end());
    }
    out.push_back(std::move(letter));
  }
  return out;
}

std::optional<KeptLetter> RecordTables::letter(const std::string& key) {
  Rows rows = letter_.rows(key);
  if (!rows.next()) return std::nullopt;
  KeptLetter letter = read_letter(rows);
  Rows frame = letter_frame_.rows(key);
  if (frame.next()) letter.record.frame.assign(frame.blob(0).begin(), frame.blob(0).end());
  return letter;
}

std::uint64_t RecordTables::dead_letters() {
  Rows rows = dead_letters_.rows();
  return rows.next() ? rows.count(0) : 0;
}

RecordTablesWriter::RecordTablesWriter(SQLite::Database& database)
    : tables_(database),
      put_cursor_(database, "INSERT OR REPLACE INTO cursor VALUES(?, ?, ?, ?, ?, ?, ?, ?)"),
      remove_streams_(database, "DELETE FROM cursor_stream WHERE subscription = ?"),
      put_stream_(database, "INSERT OR REPLACE INTO cursor_stream VALUES(?, ?, ?, ?, ?, ?, ?, ?)"),
      put_attempt_(database, "INSERT OR REPLACE INTO attempt VALUES(?, ?, ?, ?, ?, ?)"),
      remove_attempt_(database, "DELETE FROM attempt WHERE subscription = ? AND event = ?"),
      remove_attempts_(database, "DELETE FROM attempt WHERE subscription = ?"),
      put_letter_(database, "INSERT OR REPLACE INTO dead_letter VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") {}

void RecordTablesWriter::apply(const StampedRecord& stamped, const Origin& by) {
  if (const auto* cursor = std::get_if<CursorRecord>(&stamped.record)) return apply(*cursor, stamped.time, by);
  if (const auto* attempt = std::get_if<AttemptRecord>(&stamped.record)) return apply(*attempt);
  apply(std::get<LetterRecord>(stamped.record));
}

void RecordTablesWriter::apply(const CursorRecord& record, WallTime time, const Origin& by) {
  // The streams are rows of their own, so that a change of a few does not write all.
  const CursorRecord head{record.subscription, record.generation, record.filter, record.form, {}};
  std::optional<CursorState> state = tables_.cursor_head(record.subscription);
  const CursorEffect effect = merge(state, head, time, by);
  if (effect == CursorEffect::Ignored) {
    ++stale_cursors_;
    return;
  }
  const CursorRecord& merged = state->merged;
  put_cursor_.run(merged.subscription, merged.generation.counter, merged.generation.node, merged.filter,
                  static_cast<int>(merged.form), state->updated.ns, state->by.node, state->by.incarnation);
  const bool is_removed = merged.form == CursorRecord::Form::Removed;
  if (effect == CursorEffect::Replaced || is_removed) remove_streams_.run(record.subscription);
  if (is_removed) return remove_attempts_.run(record.subscription);
  for (const StreamCursor& stream : record.streams) {
    StreamCursor present{stream.stream, 0, {}};
    if (auto found = tables_.stream_cursor(record.subscription, stream.stream)) present = std::move(*found);
    merge(present, stream);
    const StreamId& id = stream.stream;
    put_stream_.run(record.subscription, id.origin.node, id.origin.incarnation, lane_index(id.lane), id.type, id.shard,
                    present.done, encode_ahead(present));
  }
  forget_done_attempts(record);
}

void RecordTablesWriter::forget_done_attempts(const CursorRecord& record) {
  for (const AttemptRecord& attempt : tables_.attempts(record.subscription)) {
    std::uint64_t sequence = 0;
    const auto stream = stream_of(attempt.event, sequence);
    const auto cursor = stream ? tables_.stream_cursor(record.subscription, *stream) : std::nullopt;
    if (cursor && is_done(*cursor, sequence)) remove_attempt_.run(record.subscription, attempt.event);
  }
}

void RecordTablesWriter::apply(const AttemptRecord& record) {
  std::uint64_t sequence = 0;
  const auto stream = stream_of(record.event, sequence);
  const auto cursor = stream ? tables_.stream_cursor(record.subscription, *stream) : std::nullopt;
  if (cursor && is_done(*cursor, sequence)) return;
  auto present = tables_.attempt(record.subscription, record.event);
  if (present && !merge(*present, record)) return;
  const AttemptRecord& kept = present ? *present : record;
  put_attempt_.run(kept.subscription, kept.event, kept.attempts, kept.error, kept.first.ns, kept.last.ns);
}

void RecordTablesWriter::apply(const LetterRecord& record) {
  auto letter = tables_.letter(record.key());
  const bool was_dead = letter && letter->record.state == LetterState::Dead;
  if (!merge(letter, record)) return;
  const LetterRecord& kept = letter->record;
  dead_change_ += (kept.state == LetterState::Dead ? 1 : 0) - (was_dead ? 1 : 0);
  put_letter_.run(kept.key(), kept.event, kept.agent, kept.subscription, kept.round, static_cast<int>(kept.state),
                  kept.requeues, kept.attempts, letter->death_round, encode_deaths(kept.deaths), kept.frame);
}

}  // namespace legion::spool
