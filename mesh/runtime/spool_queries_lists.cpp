// Results without frames. What is read here comes from outside.
#include <algorithm>
#include <type_traits>

#include <legion/runtime/spool_queries.hpp>
#include <legion/runtime/spool_queries_fields.hpp>
#include <legion/runtime/spool_queries_values.hpp>

namespace legion {

using namespace spool_wire;

namespace {

constexpr std::size_t mark_bytes_max = 256;
constexpr std::size_t reason_bytes_max = 4 * limits::error_text_bytes_max;

void write_ranges(MsgpackWriter& out, const std::vector<PositionRange>& ranges) {
  const std::size_t count = std::min(ranges.size(), spool_page_entries_max);
  out.array(count);
  for (std::size_t i = 0; i < count; ++i) write_range(out, ranges[i]);
}

Bytes encode(const JournalState& state) {
  FieldsWriter out;
  out.text("origin", state.origin.node);
  out.number("inc", state.origin.incarnation);
  out.number("journal", static_cast<std::uint64_t>(state.journal));
  out.member("boot").bin(state.boot.bytes);
  write_ranges(out.member("ranges"), state.ranges);
  write_ranges(out.member("voids"), state.voids);
  out.number("floor", state.floor);
  auto& released = out.member("released");
  released.array(state.released.size());
  for (const Position position : state.released) released.uint(position);
  out.number_if("final", state.final);
  return out.take();
}

Result<JournalState> decode_journal_state(BytesView map) {
  FieldsReader in(map);
  JournalState state;
  in.need("origin")
      .text("origin", state.origin.node, limits::node_name_bytes_max)
      .number("inc", state.origin.incarnation);
  in.need("journal").value("journal", [&](MsgpackReader& at) { return read_journal_kind(at, state.journal); });
  in.bytes("boot", state.boot.bytes);
  in.each("ranges", spool_page_entries_max,
          [&](MsgpackReader& at) { return read_range(at, state.ranges.emplace_back()); });
  in.each("voids", spool_page_entries_max,
          [&](MsgpackReader& at) { return read_range(at, state.voids.emplace_back()); });
  in.number("floor", state.floor).number("final", state.final);
  std::size_t count = 0;
  in.each("released", state.released.size(),
          [&](MsgpackReader& at) { return read_number(at, "released", state.released[count++]); });
  return in.finish(std::move(state));
}

/// The record's map with two members more: updated, by [node, incarnation].
void write_cursor(MsgpackWriter& out, const CursorState& cursor) {
  const Bytes record = encode(SpoolRecord(cursor.merged));
  MsgpackReader map(record);
  const std::size_t members = map.read_map().value_or(0);
  out.map(members + 2);
  out.raw(BytesView(record).subspan(map.offset()));
  out.str("updated");
  out.integer(cursor.updated.ns);
  out.str("by");
  out.array(2);
  write_origin(out, cursor.by);
}

template <class Record>
Result<Record> read_record_of(BytesView map) {
  auto record = decode_spool_record(map);
  if (!record) return std::unexpected(record.error());
  auto* wanted = std::get_if<Record>(&*record);
  if (wanted == nullptr) return bad("kind", "not the one asked for");
  return std::move(*wanted);
}

Result<CursorState> read_cursor(BytesView map) {
  CursorState cursor;
  auto record = read_record_of<CursorRecord>(map);
  if (!record) return std::unexpected(record.error());
  cursor.merged = std::move(*record);
  FieldsReader in(map);
  in.need("updated").time("updated", cursor.updated);
  in.need("by").value("by", [&](MsgpackReader& at) -> Result<void> {
    if (auto shape = at.expect_array(2); !shape) return shape;
    return read_origin(at, cursor.by);
  });
  return in.finish(std::move(cursor));
}

/// A list of maps: what `read` makes of each, but for kinds it does not know.
template <class Value, class Read>
Result<std::vector<Value>> read_maps(BytesView result, Read read) {
  MsgpackReader in(result);
  const auto count = in.read_array();
  if (!count) return under("records", count.error());
  std::vector<Value> list;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto map = in.read_raw();
    if (!map) return under("records", map.error());
    auto value = read(*map);
    if (!value && value.error().code == ErrorCode::NotFound) continue;
    if (!value) return under("record " + std::to_string(i + 1), value.error());
    list.push_back(std::move(*value));
  }
  return list;
}

/// For FieldsReader::each(): what `read` reads, behind the others.
template <class Value, class Read>
auto append_to(std::vector<Value>& list, Read read) {
  return [&list, read](MsgpackReader& in) -> Result<void> {
    Result<Value> value = read(in);
    if (!value) return std::unexpected(value.error());
    list.push_back(std::move(*value));
    return {};
  };
}

template <class Record>
Bytes encode_records(const std::vector<Record>& records) {
  MsgpackWriter out;
  out.array(records.size());
  for (const Record& record : records) out.raw(encode(SpoolRecord(record)));
  return out.take();
}

/// One walk for writing and reading, so that the two cannot differ.
template <class Visit>
void each_number(SpoolInfo& info, Visit visit) {
  visit("frames", info.figures.frames);
  visit("events", info.figures.events);
  visit("blocks", info.figures.blocks);
  visit("quarantined", info.figures.quarantined);
  visit("disk", info.figures.bytes_on_disk);
  visit("commits", info.figures.commits);
  visit("next", info.figures.next_commit);
  visit("letters", info.figures.dead_letters);
  visit("stale_cursors", info.figures.stale_cursors);
  visit("links", info.links);
  visit("records", info.records);
  visit("duplicates", info.duplicates);
  visit("rewinds", info.rewinds);
  visit("refused", info.refused);
  visit("skipped", info.skipped);
  visit("ignored", info.ignored);
  visit("waiting", info.bytes_waiting);
  visit("batches", info.batches);
  visit("batch_max", info.batch_records_max);
  visit("queries_waiting", info.queries_waiting);
  visit("queries_answered", info.queries_answered);
  visit("queries_refused", info.queries_refused);
  visit("bad_messages", info.bad_messages);
  visit("claims", info.claims);
}
template <class Visit>
void each_duration(SpoolInfo& info, Visit visit) {
  visit("last_commit", info.figures.last_commit);
  visit("commit_p50", info.commit_p50);
  visit("commit_p99", info.commit_p99);
}

}  // namespace

Bytes encode_result(const SpoolJournals& journals) {
  FieldsWriter out;
  out.member("store").bin(journals.store.bytes);
  auto& list = out.member("journals");
  list.array(journals.journals.size());
  for (const JournalState& state : journals.journals) list.raw(encode(state));
  out.flag("more", journals.more);
  return out.take();
}

Result<SpoolJournals> decode_journals(BytesView result) {
  FieldsReader in(result);
  SpoolJournals read;
  in.need("store").bytes("store", read.store.bytes).flag("more", read.more);
  in.need("journals")
      .each("journals", spool_page_entries_max, append_to(read.journals, [](MsgpackReader& at) -> Result<JournalState> {
              const auto map = at.read_raw();
              if (!map) return std::unexpected(map.error());
              return decode_journal_state(*map);
            }));
  return in.finish(std::move(read));
}

Bytes encode_result(const SpoolTails& tails) {
  FieldsWriter out;
  auto& list = out.member("tails");
  list.array(tails.tails.size());
  for (const StreamTail& tail : tails.tails) {
    list.array(6);
    write_stream(list, tail.stream);
    list.uint(tail.next);
  }
  out.flag("more", tails.more);
  return out.take();
}

Result<SpoolTails> decode_tail_page(BytesView result) {
  FieldsReader in(result);
  SpoolTails read;
  in.flag("more", read.more);
  in.need("tails").each("tails", spool_page_entries_max, [&](MsgpackReader& at) -> Result<void> {
    if (auto shape = at.expect_array(6); !shape) return shape;
    StreamTail& tail = read.tails.emplace_back();
    if (auto done = read_stream(at, tail.stream); !done) return done;
    return read_number(at, "next", tail.next);
  });
  return in.finish(std::move(read));
}

Bytes encode_result(const std::vector<CursorState>& cursors) {
  MsgpackWriter out;
  out.array(cursors.size());
  for (const CursorState& cursor : cursors) write_cursor(out, cursor);
  return out.take();
}

Result<std::vector<CursorState>> decode_cursors(BytesView result) {
  return read_maps<CursorState>(result, read_cursor);
}

Bytes encode_result(const std::optional<CursorState>& cursor) {
  MsgpackWriter out;
  if (cursor) {
    write_cursor(out, *cursor);
  } else {
    out.nil();
  }
  return out.take();
}

Result<std::optional<CursorState>> decode_cursor(BytesView result) {
  if (const auto kind = MsgpackReader(result).peek(); kind && *kind == MsgpackKind::Nil) {
    return std::optional<CursorState>();
  }
  auto cursor = read_cursor(result);
  if (!cursor) return std::unexpected(cursor.error());
  return std::optional(std::move(*cursor));
}

Bytes encode_result(const std::vector<AttemptRecord>& attempts) { return encode_records(attempts); }
Bytes encode_result(const std::vector<LetterRecord>& letters) { return encode_records(letters); }

Result<std::vector<AttemptRecord>> decode_attempts(BytesView result) {
  return read_maps<AttemptRecord>(result, read_record_of<AttemptRecord>);
}

Result<std::vector<LetterRecord>> decode_letters(BytesView result) {
  return read_maps<LetterRecord>(result, read_record_of<LetterRecord>);
}

Bytes encode_result(const SpoolMarks& marks) {
  MsgpackWriter out;
  const std::size_t count = std::min(marks.size(), spool_page_entries_max);
  out.array(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.array(2);
    out.str(marks[i].first);
    out.uint(marks[i].second);
  }
  return out.take();
}

Result<SpoolMarks> decode_marks(BytesView result) {
  MsgpackReader in(result);
  SpoolMarks marks;
  const auto count = in.read_array();
  if (!count) return under("marks", count.error());
  for (std::size_t i = 0; i < *count; ++i) {
    if (const auto shape = in.expect_array(2); !shape) return under("marks", shape.error());
    auto& [name, number] = marks.emplace_back();
    if (const auto read = read_text(in, "name", name, mark_bytes_max); !read) return std::unexpected(read.error());
    if (const auto read = read_number(in, "number", number); !read) return std::unexpected(read.error());
  }
  return marks;
}

Bytes encode_result(const VerifyReport& report) {
  FieldsWriter out;
  out.number("blocks", report.blocks);
  out.number("frames", report.frames);
  out.number("events", report.events);
  auto& damage = out.member("damage");
  const std::size_t damages = std::min(report.damage.size(), spool_page_entries_max);
  damage.array(damages);
  for (std::size_t i = 0; i < damages; ++i) {
    damage.array(4);
    damage.integer(report.damage[i].block);
    damage.uint(report.damage[i].first);
    damage.uint(report.damage[i].last);
    damage.str(printable(report.damage[i].what, limits::error_text_bytes_max));
  }
  auto& holes = out.member("holes");
  const std::size_t count = std::min(report.holes.size(), spool_page_entries_max);
  holes.array(count);
  for (std::size_t i = 0; i < count; ++i) {
    holes.array(2);
    holes.str(report.holes[i].first);
    write_range(holes, report.holes[i].second);
  }
  out.member("chain").bin(report.chain);
  return out.take();
}

Result<VerifyReport> decode_verify_report(BytesView result) {
  FieldsReader in(result);
  VerifyReport report;
  in.need("blocks").number("blocks", report.blocks).number("frames", report.frames).number("events", report.events);
  in.each("damage", spool_page_entries_max, [&](MsgpackReader& at) -> Result<void> {
    if (auto shape = at.expect_array(4); !shape) return shape;
    Damage& damage = report.damage.emplace_back();
    const auto block = at.read_int();
    if (!block) return under("block", block.error());
    damage.block = *block;
    if (auto read = read_number(at, "first", damage.first); !read) return read;
    if (auto read = read_number(at, "last", damage.last); !read) return read;
    return read_text(at, "what", damage.what, reason_bytes_max);
  });
  in.each("holes", spool_page_entries_max, [&](MsgpackReader& at) -> Result<void> {
    if (auto shape = at.expect_array(2); !shape) return shape;
    auto& [journal, range] = report.holes.emplace_back();
    if (auto read = read_text(at, "journal", journal, reason_bytes_max); !read) return read;
    return read_range(at, range);
  });
  in.bytes("chain", report.chain);
  return in.finish(std::move(report));
}

Bytes encode_result(const SpoolInfo& info) {
  FieldsWriter out;
  out.member("store").bin(info.store.bytes);
  SpoolInfo copy = info;
  each_number(copy, [&](std::string_view key, std::uint64_t value) { out.number(key, value); });
  each_duration(copy, [&](std::string_view key, Duration value) { out.member(key).integer(value.count()); });
  out.time_if("oldest", info.figures.oldest);
  out.time_if("newest", info.figures.newest);
  out.text_if("frozen", info.frozen);
  out.text("long_job", info.long_job);
  return out.take();
}

Result<SpoolInfo> decode_spool_info(BytesView result) {
  FieldsReader in(result);
  SpoolInfo info;
  in.need("store").bytes("store", info.store.bytes);
  each_number(info, [&](std::string_view key, std::uint64_t& value) { in.number(key, value); });
  each_duration(info, [&](std::string_view key, Duration& value) {
    std::uint64_t ns = 0;
    in.number(key, ns, INT64_MAX);
    value = Duration(static_cast<std::int64_t>(ns));
  });
  in.time("oldest", info.figures.oldest).time("newest", info.figures.newest);
  in.text("frozen", info.frozen, reason_bytes_max).text("long_job", info.long_job, mark_bytes_max);
  return in.finish(std::move(info));
}

Bytes encode_result(std::optional<std::uint64_t> number) {
  MsgpackWriter out;
  if (number) {
    out.uint(*number);
  } else {
    out.nil();
  }
  return out.take();
}

Result<std::optional<std::uint64_t>> decode_number(BytesView result) {
  MsgpackReader in(result);
  if (const auto kind = in.peek(); kind && *kind == MsgpackKind::Nil) return std::optional<std::uint64_t>();
  const auto number = in.read_uint();
  if (!number) return under("number", number.error());
  return std::optional(*number);
}

}  // namespace legion
