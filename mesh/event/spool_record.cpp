// The reading half of spool records. Everything here comes from outside.
#include <legion/event/spool_record.hpp>

#include <algorithm>
#include <limits>

#include <legion/base/assert.hpp>
#include <legion/base/text.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/share.hpp>

namespace legion {
namespace {

constexpr std::uint64_t number_max = std::numeric_limits<std::int64_t>::max();  // leaves room to count up from
constexpr std::uint64_t uint32_max = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t key_bytes_max = 64;
constexpr std::size_t word_bytes_max = 32;
constexpr std::size_t id_bytes_max = limits::node_name_bytes_max + limits::wire_type_bytes_max + 64;

Result<void> bad(std::string_view member, std::string_view what) {
  return fail(ErrorCode::BadData, std::string(member) + ": " + std::string(what));
}

Result<void> read_number(MsgpackReader& in, std::string_view member, std::uint64_t limit, std::uint64_t& number) {
  const auto read = in.read_uint();
  if (!read) return bad(member, read.error().message);
  if (*read > limit) return bad(member, std::to_string(*read) + " is too large");
  number = *read;
  return {};
}

Result<void> read_number(MsgpackReader& in, std::string_view member, std::uint32_t& number) {
  std::uint64_t wide = 0;
  const auto read = read_number(in, member, uint32_max, wide);
  number = static_cast<std::uint32_t>(wide);
  return read;
}

Result<void> read_time(MsgpackReader& in, std::string_view member, WallTime& time) {
  std::uint64_t ns = 0;
  const auto read = read_number(in, member, number_max, ns);
  time.ns = static_cast<std::int64_t>(ns);
  return read;
}

Result<void> read_text(MsgpackReader& in, std::string_view member, std::size_t bytes_max, std::string& text) {
  const auto read = in.read_string(bytes_max);
  if (!read) return bad(member, read.error().message);
  if (!is_utf8(*read)) return bad(member, "not UTF-8");
  text = *read;
  return {};
}

/// Text for people only: too much of it costs nothing but what is too much.
Result<void> read_caption(MsgpackReader& in, std::string_view member, std::string& text) {
  const auto read = in.read_string();
  if (!read) return bad(member, read.error().message);
  const std::string_view cut = cut_text(*read, limits::error_text_bytes_max);
  text = is_utf8(cut) ? std::string(cut) : printable(*read, limits::error_text_bytes_max);
  return {};
}

Result<void> read_event_id(MsgpackReader& in, std::string& text) {
  if (auto read = read_text(in, "event", id_bytes_max, text); !read) return read;
  if (const auto id = EventId::parse(text); !id) return bad("event", id.error().message);
  return {};
}

Result<void> read_subscription(MsgpackReader& in, std::string& text) {
  if (auto read = read_text(in, "sub", limits::subscription_name_bytes_max, text); !read) return read;
  return text.empty() || is_cursor_name(text) ? Result<void>{} : bad("sub", "not the name of a subscription");
}

/// `on_key(key)` reads the value of a member it knows; nothing: it knows none of that name, which is skipped.
template <class OnKey>
Result<void> read_members(MsgpackReader& in, OnKey on_key) {
  const auto count = in.read_map();
  if (!count) return bad("record", count.error().message);
  for (std::size_t i = 0; i < *count; ++i) {
    const auto key = in.read_string(key_bytes_max);
    if (!key) return bad("a key", key.error().message);
    const std::optional<Result<void>> known = on_key(*key);
    if (known && !*known) return *known;
    if (known) continue;
    if (const auto skipped = in.skip(); !skipped) return bad(*key, skipped.error().message);
  }
  if (const auto end = in.expect_end(); !end) return bad("record", end.error().message);
  return {};
}

Result<void> read_generation(MsgpackReader& in, CursorGeneration& generation) {
  if (const auto array = in.expect_array(2); !array) return bad("gen", array.error().message);
  if (auto read = read_number(in, "gen", number_max, generation.counter); !read) return read;
  if (auto read = read_text(in, "gen", limits::node_name_bytes_max, generation.node); !read) return read;
  return is_node_name(generation.node) ? Result<void>{} : bad("gen", "not a node name");
}

Result<void> read_filter(MsgpackReader& in, std::string& text) {
  if (auto read = read_text(in, "filter", limits::wire_type_bytes_max, text); !read) return read;
  const auto filter = CursorFilter::parse(text);
  return filter && filter->text() == text ? Result<void>{} : bad("filter", "not a filter");
}

Result<void> read_form(MsgpackReader& in, CursorRecord::Form& form) {
  const auto text = in.read_string(word_bytes_max);
  if (!text) return bad("form", text.error().message);
  if (*text == "delta") return form = CursorRecord::Form::Delta, Result<void>{};
  if (*text == "whole") return form = CursorRecord::Form::Whole, Result<void>{};
  if (*text == "removed") return form = CursorRecord::Form::Removed, Result<void>{};
  return bad("form", "no such form");
}

Result<void> read_ahead(MsgpackReader& in, StreamCursor& cursor) {
  const auto count = in.read_array();
  if (!count) return bad("streams", count.error().message);
  if (*count % 2 != 0 || *count > 2 * limits::cursor_ahead_max) return bad("streams", "not pairs of first and last");
  std::uint64_t behind = cursor.done;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < *count; i += 2) {
    std::uint64_t first = 0, last = 0;
    if (auto read = read_number(in, "streams", number_max, first); !read) return read;
    if (auto read = read_number(in, "streams", number_max, last); !read) return read;
    if (first <= behind || last < first) return bad("streams", "what is done ahead is not in order");
    total += last - first + 1;
    if (total > limits::cursor_ahead_max) return bad("streams", "too much is done ahead");
    cursor.ahead.emplace_back(first, last);
    behind = last;
  }
  return {};
}

Result<void> read_stream(MsgpackReader& in, StreamCursor& cursor) {
  const auto fields = in.read_array();
  if (!fields) return bad("streams", fields.error().message);
  if (*fields != 4 && *fields != 5) return bad("streams", "a stream has 4 or 5 fields");
  std::uint64_t lane = 0, shard = 0;
  if (auto read = read_number(in, "streams", limits::lane_count - 1, lane); !read) return read;
  if (auto read = read_text(in, "streams", limits::wire_type_bytes_max, cursor.stream.type); !read) return read;
  if (!is_wire_type(cursor.stream.type)) return bad("streams", "not an event type");
  if (auto read = read_number(in, "streams", 255, shard); !read) return read;
  cursor.stream.lane = static_cast<Priority>(lane);
  cursor.stream.shard = static_cast<std::uint8_t>(shard);
  if (auto read = read_number(in, "streams", number_max, cursor.done); !read) return read;
  return *fields == 5 ? read_ahead(in, cursor) : Result<void>{};
}

Result<void> read_streams(MsgpackReader& in, std::vector<StreamCursor>& streams) {
  streams.clear();
  const auto groups = in.read_array();
  if (!groups) return bad("streams", groups.error().message);
  for (std::size_t i = 0; i < *groups; ++i) {
    StreamCursor cursor;
    Origin& origin = cursor.stream.origin;
    if (const auto array = in.expect_array(3); !array) return bad("streams", array.error().message);
    if (auto read = read_text(in, "streams", limits::node_name_bytes_max, origin.node); !read) return read;
    if (!is_node_name(origin.node)) return bad("streams", "not a node name");
    if (auto read = read_number(in, "streams", number_max, origin.incarnation); !read) return read;
    const auto count = in.read_array();
    if (!count) return bad("streams", count.error().message);
    for (std::size_t k = 0; k < *count; ++k) {
      cursor.ahead.clear();
      if (auto read = read_stream(in, cursor); !read) return read;
      if (streams.size() == limits::record_streams_max) return bad("streams", "too many");
      streams.push_back(cursor);
    }
  }
  return {};
}

Result<SpoolRecord> read_cursor(MsgpackReader in) {
  CursorRecord record;
  const auto read = read_members(in, [&](std::string_view key) -> std::optional<Result<void>> {
    if (key == "sub") return read_subscription(in, record.subscription);
    if (key == "gen") return read_generation(in, record.generation);
    if (key == "filter") return read_filter(in, record.filter);
    if (key == "form") return read_form(in, record.form);
    if (key == "streams") return read_streams(in, record.streams);
    return std::nullopt;
  });
  if (!read) return std::unexpected(read.error());
  if (record.subscription.empty()) return fail(ErrorCode::BadData, "sub: missing");
  if (record.generation.node.empty()) return fail(ErrorCode::BadData, "gen: missing");
  if (record.filter.empty()) return fail(ErrorCode::BadData, "filter: missing");
  return record;
}

Result<SpoolRecord> read_attempt(MsgpackReader in) {
  AttemptRecord record;
  const auto read = read_members(in, [&](std::string_view key) -> std::optional<Result<void>> {
    if (key == "sub") return read_subscription(in, record.subscription);
    if (key == "event") return read_event_id(in, record.event);
    if (key == "attempts") return read_number(in, key, record.attempts);
    if (key == "error") return read_caption(in, key, record.error);
    if (key == "first") return read_time(in, key, record.first);
    if (key == "last") return read_time(in, key, record.last);
    return std::nullopt;
  });
  if (!read) return std::unexpected(read.error());
  if (record.subscription.empty()) return fail(ErrorCode::BadData, "sub: missing");
  if (record.event.empty()) return fail(ErrorCode::BadData, "event: missing");
  return record;
}

Result<void> read_state(MsgpackReader& in, LetterState& state) {
  const auto text = in.read_string(word_bytes_max);
  if (!text) return bad("state", text.error().message);
  for (const auto known : {LetterState::Dead, LetterState::Requeued, LetterState::Resolved, LetterState::Purged}) {
    if (*text == to_string(known)) return state = known, Result<void>{};
  }
  return bad("state", "no such state");
}

Result<void> read_death(MsgpackReader& in, LetterDeath& death) {
  if (const auto array = in.expect_array(6); !array) return bad("deaths", array.error().message);
  if (auto read = read_text(in, "deaths", limits::source_bytes_max, death.agent); !read) return read;
  if (auto read = read_text(in, "deaths", word_bytes_max, death.reason); !read) return read;
  if (auto read = read_number(in, "deaths", death.attempts); !read) return read;
  if (auto read = read_caption(in, "deaths", death.error); !read) return read;
  if (auto read = read_time(in, "deaths", death.first); !read) return read;
  return read_time(in, "deaths", death.last);
}

Result<void> read_deaths(MsgpackReader& in, std::vector<LetterDeath>& deaths) {
  deaths.clear();
  const auto count = in.read_array();
  if (!count) return bad("deaths", count.error().message);
  if (*count > limits::letter_deaths_max) return bad("deaths", "too many");
  for (std::size_t i = 0; i < *count; ++i) {
    if (auto read = read_death(in, deaths.emplace_back()); !read) return read;
  }
  return {};
}

Result<void> read_frame(MsgpackReader& in, Bytes& frame) {
  const auto bytes = in.read_bin(limits::message_bytes_max);
  if (!bytes) return bad("frame", bytes.error().message);
  frame.assign(bytes->begin(), bytes->end());
  return {};
}

Result<SpoolRecord> read_letter(MsgpackReader in) {
  LetterRecord record;
  const auto read = read_members(in, [&](std::string_view key) -> std::optional<Result<void>> {
    if (key == "event") return read_event_id(in, record.event);
    if (key == "agent") return read_text(in, key, limits::source_bytes_max, record.agent);
    if (key == "sub") return read_subscription(in, record.subscription);
    if (key == "round") return read_number(in, key, record.round);
    if (key == "state") return read_state(in, record.state);
    if (key == "requeues") return read_number(in, key, record.requeues);
    if (key == "attempts") return read_number(in, key, record.attempts);
    if (key == "deaths") return read_deaths(in, record.deaths);
    if (key == "frame") return read_frame(in, record.frame);
    return std::nullopt;
  });
  if (!read) return std::unexpected(read.error());
  if (record.event.empty()) return fail(ErrorCode::BadData, "event: missing");
  if (record.agent.empty()) return fail(ErrorCode::BadData, "agent: missing");
  if (record.round == 0) return fail(ErrorCode::BadData, "round: counts from 1");
  return record;
}

/// Wherever in the map it stands.
Result<std::string> read_kind(MsgpackReader in) {
  std::string kind;
  const auto read = read_members(in, [&](std::string_view key) -> std::optional<Result<void>> {
    if (key == "record") return read_text(in, key, word_bytes_max, kind);
    return std::nullopt;
  });
  if (!read) return std::unexpected(read.error());
  if (kind.empty()) return fail(ErrorCode::BadData, "record: missing");
  return kind;
}

}  // namespace

bool is_subscription_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= limits::subscription_name_bytes_max && std::ranges::all_of(name, allowed);
}

std::string_view to_string(LetterState state) {
  switch (state) {
    case LetterState::Dead: return "dead";
    case LetterState::Requeued: return "requeued";
    case LetterState::Resolved: return "resolved";
    case LetterState::Purged: return "purged";
  }
  LEGION_UNREACHABLE();
}

Result<SpoolRecord> decode_spool_record(BytesView data) {
  if (data.size() > limits::record_bytes_max) return fail(ErrorCode::BadData, "longer than a record may be");
  const MsgpackReader in(data);
  const auto kind = read_kind(in);
  if (!kind) return std::unexpected(kind.error());
  if (*kind == "cursor") return read_cursor(in);
  if (*kind == "attempt") return read_attempt(in);
  if (*kind == "letter") return read_letter(in);
  return fail(ErrorCode::NotFound, "a record of the kind " + printable(*kind, word_bytes_max));
}

}  // namespace legion
