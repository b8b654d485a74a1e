// The params of spool queries. What is read here comes from outside.
#include <algorithm>

#include <legion/event/event.hpp>
#include <legion/runtime/spool_queries.hpp>
#include <legion/runtime/spool_queries_fields.hpp>
#include <legion/runtime/spool_queries_values.hpp>

namespace legion {

using namespace spool_wire;

namespace {

constexpr std::size_t word_bytes_max = 64;
constexpr std::size_t filters_max = 256;
constexpr std::size_t id_bytes_max = 512;     // of an event
constexpr std::size_t agent_bytes_max = 2 * limits::source_bytes_max;

Result<Filter> read_filter(MsgpackReader& in) {
  const auto text = in.read_string(limits::wire_type_bytes_max);
  if (!text) return std::unexpected(text.error());
  return Filter::parse(*text);
}

void write_stream_members(FieldsWriter& out, const StreamId& stream) {
  out.text("origin", stream.origin.node);
  out.number("inc", stream.origin.incarnation);
  out.number("lane", lane_index(stream.lane));
  out.text("type", stream.type);
  out.number("shard", stream.shard);
}

void read_origin_members(FieldsReader& in, Origin& origin, std::string_view name) {
  in.need(name).need("inc").text(name, origin.node, limits::node_name_bytes_max).number("inc", origin.incarnation);
  in.value(name, [&](MsgpackReader&) -> Result<void> {
    if (!is_node_name(origin.node)) return fail(ErrorCode::BadData, "not a node name");
    return {};
  });
}

void read_journal_member(FieldsReader& in, JournalKind& journal) {
  in.need("journal").value("journal", [&](MsgpackReader& at) { return read_journal_kind(at, journal); });
}

void read_bytes_max(FieldsReader& in, std::size_t& bytes_max) {
  in.number("bytes", bytes_max);
  bytes_max = std::clamp<std::size_t>(bytes_max, 1, spool_page_bytes_max);
}

void read_entries_max(FieldsReader& in, std::size_t& max) {
  in.number("max", max);
  max = std::clamp<std::size_t>(max, 1, spool_page_entries_max);
}

}  // namespace

Bytes encode_params(const ScanQuery& query) {
  FieldsWriter out;
  out.number("from", query.from);
  out.number_if("until", query.until);
  out.time_if("since", query.since);
  out.time_if("before", query.before);
  if (!query.types.empty()) {
    auto& types = out.member("types");
    types.array(query.types.size());
    for (const Filter& filter : query.types) types.str(filter.text());
  }
  if (!query.lanes.empty()) {
    auto& lanes = out.member("lanes");
    lanes.array(query.lanes.size());
    for (const Priority lane : query.lanes) lanes.uint(lane_index(lane));
  }
  out.text_if("correlation", query.correlation);
  out.number("bytes", query.bytes_max);
  return out.take();
}

Result<ScanQuery> decode_scan_query(BytesView params) {
  FieldsReader in(params);
  ScanQuery query;
  in.number("from", query.from).number("until", query.until).time("since", query.since).time("before", query.before);
  in.each("types", filters_max, [&](MsgpackReader& at) -> Result<void> {
    auto filter = read_filter(at);
    if (!filter) return std::unexpected(filter.error());
    query.types.push_back(std::move(*filter));
    return {};
  });
  in.each("lanes", limits::lane_count, [&](MsgpackReader& at) { return read_lane(at, query.lanes.emplace_back()); });
  in.text("correlation", query.correlation, limits::attribute_bytes_max);
  read_bytes_max(in, query.bytes_max);
  return in.finish(std::move(query));
}

Bytes encode_params(const StreamQuery& query) {
  FieldsWriter out;
  write_stream_members(out, query.stream);
  out.number("first", query.first);
  out.number("last", query.last);
  out.number("bytes", query.bytes_max);
  return out.take();
}

Result<StreamQuery> decode_stream_query(BytesView params) {
  FieldsReader in(params);
  StreamQuery query;
  read_origin_members(in, query.stream.origin, "origin");
  in.need("lane").need("type").need("first");
  in.value("lane", [&](MsgpackReader& at) { return read_lane(at, query.stream.lane); });
  in.value("type", [&](MsgpackReader& at) { return read_wire_type(at, query.stream.type); });
  in.number("shard", query.stream.shard, UINT8_MAX).number("first", query.first).number("last", query.last);
  read_bytes_max(in, query.bytes_max);
  auto read = in.finish(std::move(query));
  if (read && (read->first == 0 || read->first > read->last)) return bad("first", "not a range of sequences");
  return read;
}

Bytes encode_params(const JournalQuery& query) {
  FieldsWriter out;
  out.text("origin", query.origin.node);
  out.number("inc", query.origin.incarnation);
  out.number("journal", static_cast<std::uint64_t>(query.journal));
  out.number("first", query.range.first);
  out.number("last", query.range.last);
  out.number("bytes", query.bytes_max);
  return out.take();
}

Result<JournalQuery> decode_journal_query(BytesView params) {
  FieldsReader in(params);
  JournalQuery query;
  read_origin_members(in, query.origin, "origin");
  read_journal_member(in, query.journal);
  in.need("first").need("last").number("first", query.range.first).number("last", query.range.last);
  read_bytes_max(in, query.bytes_max);
  auto read = in.finish(std::move(query));
  if (read && (read->range.first == 0 || read->range.first > read->range.last)) {
    return bad("first", "not a range of positions");
  }
  return read;
}

Bytes encode_params(const JournalsQuery& query) {
  FieldsWriter out;
  if (query.after) {
    auto& after = out.member("after");
    after.array(3);
    write_origin(after, query.after->first);
    after.uint(static_cast<std::uint64_t>(query.after->second));
  }
  return out.take();
}

Result<JournalsQuery> decode_journals_query(BytesView params) {
  FieldsReader in(params);
  JournalsQuery query;
  in.value("after", [&](MsgpackReader& at) -> Result<void> {
    if (auto shape = at.expect_array(3); !shape) return shape;
    auto& after = query.after.emplace();
    if (auto read = read_origin(at, after.first); !read) return read;
    return read_journal_kind(at, after.second);
  });
  return in.finish(std::move(query));
}

Bytes encode_params(const TailsQuery& query) {
  FieldsWriter out;
  out.text("filter", query.filter.text());
  if (query.after) {
    auto& after = out.member("after");
    after.array(5);
    write_stream(after, *query.after);
  }
  out.number("max", query.max);
  return out.take();
}

Result<TailsQuery> decode_tails_query(BytesView params) {
  FieldsReader in(params);
  TailsQuery query;
  in.need("filter").value("filter", [&](MsgpackReader& at) -> Result<void> {
    auto filter = read_filter(at);
    if (!filter) return std::unexpected(filter.error());
    query.filter = std::move(*filter);
    return {};
  });
  in.value("after", [&](MsgpackReader& at) -> Result<void> {
    if (auto shape = at.expect_array(5); !shape) return shape;
    return read_stream(at, query.after.emplace());
  });
  read_entries_max(in, query.max);
  return in.finish(std::move(query));
}

Bytes encode_params(const PageQuery& query) {
  FieldsWriter out;
  if (!query.subscription.empty()) out.text("subscription", query.subscription);
  if (!query.after.empty()) out.text("after", query.after);
  return out.take();
}

Result<PageQuery> decode_page_query(BytesView params) {
  FieldsReader in(params);
  PageQuery query;
  in.text("subscription", query.subscription, subscription_name_bytes_max).text("after", query.after, id_bytes_max);
  return in.finish(std::move(query));
}

Bytes encode_params(const LetterQuery& query) {
  FieldsWriter out;
  out.text_if("type", query.type);
  out.text_if("agent", query.agent);
  out.text_if("reason", query.reason);
  if (query.state) out.text("state", to_string(*query.state));
  out.time_if("since", query.since);
  out.time_if("before", query.before);
  out.text_if("event", query.event);
  if (!query.after.empty()) out.text("after", query.after);
  out.number("max", query.max);
  out.flag("payload", query.payload == LetterQuery::Payload::With);
  return out.take();
}

Result<LetterQuery> decode_letter_query(BytesView params) {
  FieldsReader in(params);
  LetterQuery query;
  in.value("type", [&](MsgpackReader& at) -> Result<void> {
    auto filter = read_filter(at);
    if (!filter) return std::unexpected(filter.error());
    query.type = filter->text();
    return {};
  });
  in.text("agent", query.agent, agent_bytes_max).text("reason", query.reason, limits::error_text_bytes_max);
  in.value("state", [&](MsgpackReader& at) -> Result<void> {
    const auto text = at.read_string(word_bytes_max);
    if (!text) return std::unexpected(text.error());
    for (const auto state : {LetterState::Dead, LetterState::Requeued, LetterState::Resolved, LetterState::Purged}) {
      if (*text == to_string(state)) query.state = state;
    }
    if (!query.state) return fail(ErrorCode::BadData, "no such state");
    return {};
  });
  in.time("since", query.since).time("before", query.before).text("event", query.event, id_bytes_max);
  in.text("after", query.after, id_bytes_max + agent_bytes_max);
  read_entries_max(in, query.max);
  bool with_payload = true;
  in.flag("payload", with_payload);
  query.payload = with_payload ? LetterQuery::Payload::With : LetterQuery::Payload::Without;
  return in.finish(std::move(query));
}

Bytes encode_params(const ClaimQuery& query) {
  FieldsWriter out;
  out.text("subscription", query.subscription);
  out.text("node", query.holder.node);
  out.number("inc", query.holder.incarnation);
  out.member("boot").bin(query.boot.bytes);
  return out.take();
}

Result<ClaimQuery> decode_claim_query(BytesView params) {
  FieldsReader in(params);
  ClaimQuery query;
  in.need("subscription").text("subscription", query.subscription, subscription_name_bytes_max);
  read_origin_members(in, query.holder, "node");
  in.need("boot").bytes("boot", query.boot.bytes);
  auto read = in.finish(std::move(query));
  if (read && read->subscription.empty()) return bad("subscription", "empty");
  return read;
}

Bytes encode_params(StoreReader::Depth depth) {
  return encode_params("depth", depth == StoreReader::Depth::Full ? "full" : "checksums");
}

Result<StoreReader::Depth> decode_depth(BytesView params) {
  FieldsReader in(params);
  std::string text = "checksums";
  in.text("depth", text, word_bytes_max);
  const auto read = in.finish(std::move(text));
  if (!read) return std::unexpected(read.error());
  if (*read == "checksums") return StoreReader::Depth::Checksums;
  if (*read == "full") return StoreReader::Depth::Full;
  return bad("depth", "neither \"checksums\" nor \"full\"");
}

Bytes encode_params(WallTime time) {
  FieldsWriter out;
  out.time("time", time);
  return out.take();
}

Result<WallTime> decode_time(BytesView params) {
  FieldsReader in(params);
  WallTime time;
  in.need("time").time("time", time);
  return in.finish(time);
}

Bytes encode_params(std::string_view key, std::string_view text) {
  FieldsWriter out;
  out.text(key, text);
  return out.take();
}

Result<std::string> decode_text(BytesView params, std::string_view key, std::size_t bytes_max) {
  FieldsReader in(params);
  std::string text;
  in.need(key).text(key, text, bytes_max);
  auto read = in.finish(std::move(text));
  if (read && read->empty()) return bad(key, "empty");
  return read;
}

}  // namespace legion
