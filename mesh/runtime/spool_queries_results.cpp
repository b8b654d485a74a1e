// Results that carry frames: scan, stream, journal. What is read here comes from outside.
#include <algorithm>
#include <array>

#include <legion/runtime/spool_queries.hpp>
#include <legion/runtime/spool_queries_fields.hpp>
#include <legion/runtime/spool_queries_values.hpp>

namespace legion {

using namespace spool_wire;

namespace {

constexpr std::size_t spans_max = limits::msgpack_items_max;

/// Gives out the frames of a reply, in order.
class Frames {
 public:
  explicit Frames(const std::vector<BytesView>& frames) : frames_(frames) {}
  Result<void> take(BytesView& frame) {
    if (taken_ == frames_.size()) return bad("frames", "more than came with them");
    frame = frames_[taken_++];
    return {};
  }
  Result<void> expect_end() const {
    if (taken_ != frames_.size()) return bad("frames", "fewer than came with them");
    return {};
  }

 private:
  const std::vector<BytesView>& frames_;
  std::size_t taken_ = 0;
};

Result<void> read_stored_frame(MsgpackReader& in, Frames& frames, StoredFrame& frame) {
  if (auto shape = in.expect_array(5); !shape) return shape;
  if (auto read = read_number(in, "number", frame.number); !read) return read;
  if (auto read = read_journal_kind(in, frame.journal); !read) return read;
  if (auto read = read_number(in, "position", frame.position); !read) return read;
  if (auto read = read_time(in, "recorded", frame.recorded); !read) return read;
  if (auto read = read_number(in, "held", frame.held_for); !read) return read;
  return frames.take(frame.frame);
}

Result<void> read_part(MsgpackReader& in, Frames& frames, StreamPage::Part& part) {
  using Kind = StreamPage::Part::Kind;
  if (auto shape = in.expect_array(4); !shape) return shape;
  std::uint8_t kind = 0;
  if (auto read = read_number(in, "kind", kind, static_cast<std::uint64_t>(Kind::Missing)); !read) return read;
  part.kind = static_cast<Kind>(kind);
  if (auto read = read_number(in, "first", part.first); !read) return read;
  if (auto read = read_number(in, "last", part.last); !read) return read;
  if (part.first == 0 || part.first > part.last) return bad("first", "not a range of sequences");
  std::uint8_t why = 0;
  switch (part.kind) {
    case Kind::Frame:
      if (auto read = in.read_nil(); !read) return read;
      return frames.take(part.frame);
    case Kind::Missing: return in.read_nil();
    case Kind::Never:
      if (auto read = read_number(in, "why", why, static_cast<std::uint64_t>(Never::EndOfLife)); !read) return read;
      part.why = static_cast<Never>(why);
      return {};
  }
  return {};
}

/// One of each journal.
void write_positions(MsgpackWriter& out, const std::array<Position, 2>& positions) {
  out.array(positions.size());
  for (const Position position : positions) out.uint(position);
}

auto read_positions_into(std::array<Position, 2>& positions) {
  return [&positions](MsgpackReader& in) -> Result<void> {
    if (auto shape = in.expect_array(positions.size()); !shape) return shape;
    for (Position& position : positions) {
      if (auto read = read_number(in, "position", position); !read) return read;
    }
    return {};
  };
}

Result<void> read_span(MsgpackReader& in, StreamSpan& span) {
  if (auto shape = in.expect_array(5); !shape) return shape;
  if (auto read = read_lane(in, span.lane); !read) return read;
  if (auto read = read_wire_type(in, span.type); !read) return read;
  if (auto read = read_number(in, "shard", span.shard); !read) return read;
  if (auto read = read_number(in, "first", span.first); !read) return read;
  if (auto read = read_number(in, "last", span.last); !read) return read;
  if (span.first == 0 || span.first > span.last) return bad("first", "not a range of sequences");
  return {};
}

Result<void> read_spans(MsgpackReader& in, std::vector<StreamSpan>& spans) {
  const auto count = in.read_array();
  if (!count) return under("spans", count.error());
  if (*count > spans_max) return bad("spans", "too many");
  for (std::size_t i = 0; i < *count; ++i) {
    if (auto read = read_span(in, spans.emplace_back()); !read) return read;
  }
  return {};
}

Result<void> read_record(MsgpackReader& in, Frames& frames, JournalRecord& record) {
  if (auto shape = in.expect_array(4); !shape) return shape;
  PositionRange range;
  if (auto read = read_number(in, "first", range.first); !read) return read;
  if (auto read = read_number(in, "last", range.last); !read) return read;
  if (range.first == 0 || range.first > range.last) return bad("first", "not a range of positions");
  record.first = range.first;
  record.last = range.last;
  if (auto read = read_number(in, "held", record.held_for); !read) return read;
  const auto kind = in.peek();
  if (!kind) return under("record", kind.error());
  if (*kind == MsgpackKind::Array) return read_spans(in, record.spans);
  if (record.first != record.last) return bad("last", "a frame takes one position");
  BytesView frame;
  if (auto read = in.read_nil(); !read) return read;
  if (auto taken = frames.take(frame); !taken) return taken;
  record.frame = std::make_shared<const Bytes>(frame.begin(), frame.end());
  return {};
}

}  // namespace

SpoolAnswer SpoolBody::finish(Bytes result) {
  SpoolAnswer answer{std::move(result), std::move(sizes_), nullptr};
  if (!bytes_.empty()) answer.body = std::make_shared<const Bytes>(std::move(bytes_));
  return answer;
}

Bytes encode_result(const SpoolPage& page) {
  FieldsWriter out;
  out.member("store").bin(page.store.bytes);
  out.number("next", page.next);
  out.flag("end", page.at_end);
  auto& frames = out.member("frames");
  frames.array(page.frames.size());
  for (const StoredFrame& frame : page.frames) {
    frames.array(5);
    frames.uint(frame.number);
    frames.uint(static_cast<std::uint64_t>(frame.journal));
    frames.uint(frame.position);
    frames.integer(frame.recorded.ns);
    frames.uint(frame.held_for);
  }
  return out.take();
}

Result<SpoolPage> decode_page(const SpoolReply& reply) {
  FieldsReader in(reply.result);
  SpoolPage page;
  page.owner = reply.owner;
  Frames frames(reply.frames);
  in.need("store").bytes("store", page.store.bytes).need("next").number("next", page.next).flag("end", page.at_end);
  in.each("frames", limits::msgpack_items_max,
          [&](MsgpackReader& at) { return read_stored_frame(at, frames, page.frames.emplace_back()); });
  auto read = in.finish(std::move(page));
  if (!read) return read;
  if (const auto end = frames.expect_end(); !end) return std::unexpected(end.error());
  return read;
}

Bytes encode_result(const StreamPage& page) {
  FieldsWriter out;
  out.number("next", page.next);
  out.number("stored", page.stored_to);
  write_positions(out.member("through"), page.through);
  write_positions(out.member("floor"), page.floor);
  auto& parts = out.member("parts");
  parts.array(page.parts.size());
  for (const StreamPage::Part& part : page.parts) {
    parts.array(4);
    parts.uint(static_cast<std::uint64_t>(part.kind));
    parts.uint(part.first);
    parts.uint(part.last);
    if (part.kind == StreamPage::Part::Kind::Never) {
      parts.uint(static_cast<std::uint64_t>(part.why));
    } else {
      parts.nil();
    }
  }
  return out.take();
}

Result<SpoolStreamPage> decode_stream_page(const SpoolReply& reply) {
  FieldsReader in(reply.result);
  SpoolStreamPage read;
  read.owner = reply.owner;
  Frames frames(reply.frames);
  in.need("next").number("next", read.page.next).number("stored", read.page.stored_to);
  in.value("through", read_positions_into(read.page.through)).value("floor", read_positions_into(read.page.floor));
  in.each("parts", limits::msgpack_items_max,
          [&](MsgpackReader& at) { return read_part(at, frames, read.page.parts.emplace_back()); });
  if (const auto done = in.finish(); !done) return std::unexpected(done.error());
  if (const auto end = frames.expect_end(); !end) return std::unexpected(end.error());
  return read;
}

Bytes encode_result(const std::vector<JournalRecord>& records) {
  FieldsWriter out;
  auto& list = out.member("records");
  list.array(records.size());
  for (const JournalRecord& record : records) {
    list.array(4);
    list.uint(record.first);
    list.uint(record.last);
    list.uint(record.held_for);
    if (!record.is_void()) {
      list.nil();
      continue;
    }
    list.array(record.spans.size());
    for (const StreamSpan& span : record.spans) {
      list.array(5);
      list.uint(lane_index(span.lane));
      list.str(span.type);
      list.uint(span.shard);
      list.uint(span.first);
      list.uint(span.last);
    }
  }
  return out.take();
}

Result<std::vector<JournalRecord>> decode_records(const SpoolReply& reply, const JournalQuery& asked) {
  FieldsReader in(reply.result);
  std::vector<JournalRecord> records;
  Frames frames(reply.frames);
  in.need("records").each("records", limits::msgpack_items_max, [&](MsgpackReader& at) {
    JournalRecord& record = records.emplace_back();
    record.origin = asked.origin;
    record.journal = asked.journal;
    return read_record(at, frames, record);
  });
  auto read = in.finish(std::move(records));
  if (!read) return read;
  if (const auto end = frames.expect_end(); !end) return std::unexpected(end.error());
  return read;
}

}  // namespace legion
