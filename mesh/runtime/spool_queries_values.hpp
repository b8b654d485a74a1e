// Values that several messages of the spool port have in common.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <legion/base/text.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/journal.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::spool_wire {

inline std::unexpected<Error> bad(std::string_view name, std::string_view what) {
  return fail(ErrorCode::BadData, std::string(name) + ": " + std::string(what));
}
inline std::unexpected<Error> under(std::string_view name, const Error& error) {
  return std::unexpected<Error>(Error{error.code, std::string(name) + ": " + error.message});
}

template <class Number>
Result<void> read_number(MsgpackReader& in, std::string_view name, Number& target,
                         std::uint64_t max = std::numeric_limits<Number>::max()) {
  const auto read = in.read_uint();
  if (!read) return under(name, read.error());
  if (*read > max) return bad(name, std::to_string(*read) + " is too large");
  target = static_cast<Number>(*read);
  return {};
}

inline Result<void> read_text(MsgpackReader& in, std::string_view name, std::string& target, std::size_t bytes_max) {
  const auto read = in.read_string(bytes_max);
  if (!read) return under(name, read.error());
  if (!is_utf8(*read)) return bad(name, "not UTF-8");
  target = std::string(*read);
  return {};
}

inline Result<void> read_time(MsgpackReader& in, std::string_view name, WallTime& target) {
  const auto read = in.read_int();
  if (!read) return under(name, read.error());
  target = WallTime{*read};
  return {};
}

/// Two values: node, incarnation.
inline void write_origin(MsgpackWriter& out, const Origin& origin) {
  out.str(origin.node);
  out.uint(origin.incarnation);
}
inline Result<void> read_origin(MsgpackReader& in, Origin& origin) {
  if (auto read = read_text(in, "origin", origin.node, limits::node_name_bytes_max); !read) return read;
  if (!is_node_name(origin.node)) return bad("origin", "not a node name");
  return read_number(in, "incarnation", origin.incarnation);
}

inline Result<void> read_lane(MsgpackReader& in, Priority& lane) {
  std::uint8_t number = 0;
  if (auto read = read_number(in, "lane", number, limits::lane_count - 1); !read) return read;
  lane = static_cast<Priority>(number);
  return {};
}

inline Result<void> read_journal_kind(MsgpackReader& in, JournalKind& kind) {
  const auto read = in.read_uint();
  if (!read) return under("journal", read.error());
  for (const JournalKind one : all_journals) {
    if (*read == static_cast<std::uint64_t>(one)) return kind = one, Result<void>{};
  }
  return bad("journal", "no such journal");
}

inline Result<void> read_wire_type(MsgpackReader& in, std::string& type) {
  if (auto read = read_text(in, "type", type, limits::wire_type_bytes_max); !read) return read;
  if (!is_wire_type(type)) return bad("type", "not an event type");
  return {};
}

/// Five values: node, incarnation, lane, type, shard.
inline void write_stream(MsgpackWriter& out, const StreamId& stream) {
  write_origin(out, stream.origin);
  out.uint(lane_index(stream.lane));
  out.str(stream.type);
  out.uint(stream.shard);
}
inline Result<void> read_stream(MsgpackReader& in, StreamId& stream) {
  if (auto read = read_origin(in, stream.origin); !read) return read;
  if (auto read = read_lane(in, stream.lane); !read) return read;
  if (auto read = read_wire_type(in, stream.type); !read) return read;
  return read_number(in, "shard", stream.shard);
}

/// [first, last], not empty.
inline void write_range(MsgpackWriter& out, PositionRange range) {
  out.array(2);
  out.uint(range.first);
  out.uint(range.last);
}
inline Result<void> read_range(MsgpackReader& in, PositionRange& range) {
  if (auto shape = in.expect_array(2); !shape) return shape;
  if (auto read = read_number(in, "first", range.first); !read) return read;
  if (auto read = read_number(in, "last", range.last); !read) return read;
  if (range.first == 0 || range.first > range.last) return bad("first", "not a range of positions");
  return {};
}

}  // namespace legion::spool_wire
