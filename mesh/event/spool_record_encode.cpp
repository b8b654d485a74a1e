// The writing half of spool records. Wire form: docs/protocol.md, "Records".
#include <algorithm>
#include <span>

#include <legion/base/text.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/event/spool_record.hpp>

namespace legion {
namespace {

void put(MsgpackWriter& out, std::string_view key, std::string_view text) {
  out.str(key);
  out.str(text);
}

void put(MsgpackWriter& out, std::string_view key, std::uint64_t number) {
  out.str(key);
  out.uint(number);
}

void put_time(MsgpackWriter& out, WallTime time) {
  out.uint(static_cast<std::uint64_t>(std::max<std::int64_t>(time.ns, 0)));
}

void put_error(MsgpackWriter& out, std::string_view text) {
  const std::string_view cut = cut_text(text, limits::error_text_bytes_max);
  if (is_utf8(cut)) return out.str(cut);
  out.str(printable(text, limits::error_text_bytes_max));
}

void put_stream(MsgpackWriter& out, const StreamCursor& cursor) {
  out.array(cursor.ahead.empty() ? 4 : 5);
  out.uint(lane_index(cursor.stream.lane));
  out.str(cursor.stream.type);
  out.uint(cursor.stream.shard);
  out.uint(cursor.done);
  if (cursor.ahead.empty()) return;
  out.array(2 * cursor.ahead.size());
  for (const auto& [first, last] : cursor.ahead) {
    out.uint(first);
    out.uint(last);
  }
}

/// Neighbours of one origin share it.
std::vector<std::span<const StreamCursor>> by_origin(std::span<const StreamCursor> streams) {
  std::vector<std::span<const StreamCursor>> groups;
  while (!streams.empty()) {
    const auto end = std::ranges::find_if(
        streams, [&](const StreamCursor& cursor) { return cursor.stream.origin != streams.front().stream.origin; });
    const auto count = static_cast<std::size_t>(end - streams.begin());
    groups.push_back(streams.first(count));
    streams = streams.subspan(count);
  }
  return groups;
}

std::string_view word(CursorRecord::Form form) {
  switch (form) {
    case CursorRecord::Form::Delta: return "delta";
    case CursorRecord::Form::Whole: return "whole";
    case CursorRecord::Form::Removed: return "removed";
  }
  return "delta";
}

void write(MsgpackWriter& out, const CursorRecord& record) {
  out.map(6);
  put(out, "record", "cursor");
  put(out, "sub", record.subscription);
  out.str("gen");
  out.array(2);
  out.uint(record.generation.counter);
  out.str(record.generation.node);
  put(out, "filter", record.filter);
  put(out, "form", word(record.form));
  out.str("streams");
  const auto groups = by_origin(record.streams);
  out.array(groups.size());
  for (const auto group : groups) {
    const Origin& origin = group.front().stream.origin;
    out.array(3);
    out.str(origin.node);
    out.uint(origin.incarnation);
    out.array(group.size());
    for (const StreamCursor& cursor : group) put_stream(out, cursor);
  }
}

void write(MsgpackWriter& out, const AttemptRecord& record) {
  out.map(7);
  put(out, "record", "attempt");
  put(out, "sub", record.subscription);
  put(out, "event", record.event);
  put(out, "attempts", record.attempts);
  out.str("error");
  put_error(out, record.error);
  out.str("first");
  put_time(out, record.first);
  out.str("last");
  put_time(out, record.last);
}

void write_death(MsgpackWriter& out, const LetterDeath& death) {
  out.array(6);
  out.str(death.agent);
  out.str(death.reason);
  out.uint(death.attempts);
  put_error(out, death.error);
  put_time(out, death.first);
  put_time(out, death.last);
}

void write(MsgpackWriter& out, const LetterRecord& record) {
  out.map(10);
  put(out, "record", "letter");
  put(out, "event", record.event);
  put(out, "agent", record.agent);
  put(out, "sub", record.subscription);
  put(out, "round", record.round);
  put(out, "state", to_string(record.state));
  put(out, "requeues", record.requeues);
  put(out, "attempts", record.attempts);
  out.str("deaths");
  const std::span deaths(record.deaths);
  const auto kept = deaths.last(std::min(deaths.size(), limits::letter_deaths_max));
  out.array(kept.size());
  for (const LetterDeath& death : kept) write_death(out, death);
  out.str("frame");
  out.bin(record.frame);
}

}  // namespace

std::size_t record_cost(const StreamCursor& cursor) {
  constexpr std::size_t numbers = 40;  // heads, incarnation, lane, shard, done
  return numbers + cursor.stream.origin.node.size() + cursor.stream.type.size() + 18 * cursor.ahead.size();
}

Bytes encode(const SpoolRecord& record) {
  MsgpackWriter out;
  std::visit([&](const auto& kind) { write(out, kind); }, record);
  return out.take();
}

}  // namespace legion
