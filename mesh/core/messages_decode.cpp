// The reading half of the control messages, heartbeats and sync parts. Everything here comes from outside.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <legion/base/address.hpp>
#include <legion/base/text.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {
namespace {

constexpr std::uint64_t rpc_request_tag = 0;
constexpr std::uint64_t rpc_reply_tag = 1;
constexpr std::uint64_t rpc_notification_tag = 2;
constexpr std::size_t uri_bytes_max = 300;
constexpr std::size_t word_bytes_max = 64;     // a role, a state, a version, a hash, a method, an error code
constexpr std::size_t agents_max = 4096;
constexpr std::size_t loss_reasons_max = 64;
constexpr std::size_t key_bytes_max = 64;
constexpr std::size_t reserved_type_bytes_max = limits::event_type_bytes_max + 16;  // "~replay." and a type
// Leaves room to count up from any incarnation heard of.
constexpr std::uint64_t incarnation_max = std::numeric_limits<std::int64_t>::max();

std::unexpected<Error> bad(std::string_view key, std::string_view what) {
  return fail(ErrorCode::BadData, std::string(key) + ": " + std::string(what));
}

std::unexpected<Error> under(std::string_view key, const Error& error) {
  return std::unexpected<Error>(Error{error.code, std::string(key) + ": " + error.message});
}

/// Assigns what was read, or names the key it was read for.
template <class From, class To>
Result<void> assign(std::string_view key, Result<From> read, To& to) {
  if (!read) return under(key, read.error());
  to = To(*std::move(read));
  return {};
}

Result<std::uint64_t> read_uint_below(MsgpackReader& in, std::uint64_t limit) {
  const auto value = in.read_uint();
  if (value && *value >= limit) return fail(ErrorCode::BadData, std::to_string(*value) + " is too large");
  return value;
}

Result<std::string> read_text(MsgpackReader& in, std::size_t bytes_max) {
  const auto text = in.read_string(bytes_max);
  if (!text) return std::unexpected(text.error());
  if (!is_utf8(*text)) return fail(ErrorCode::BadData, "not UTF-8");
  return std::string(*text);
}

/// Text for people only: what is too long is cut and what is no UTF-8 left out, because nothing that only informs may
/// cost a node its heartbeat.
Result<std::string> read_caption(MsgpackReader& in, std::size_t bytes_max) {
  const auto text = in.read_string();
  if (!text) return std::unexpected(text.error());
  const std::string_view kept = cut_text(*text, bytes_max);
  return is_utf8(kept) ? std::string(kept) : std::string("?");
}

Result<std::size_t> read_array_up_to(MsgpackReader& in, std::size_t limit) {
  const auto count = in.read_array();
  if (count && *count > limit) return fail(ErrorCode::BadData, "more than " + std::to_string(limit) + " entries");
  return count;
}

/// `on_key(key)` reads the value and answers true, or answers false: the value is then skipped.
template <class OnKey>
Result<void> read_fields(MsgpackReader& in, OnKey on_key) {
  const auto count = in.read_map();
  if (!count) return std::unexpected(count.error());
  for (std::size_t i = 0; i < *count; ++i) {
    const auto key = in.read_string(key_bytes_max);
    if (!key) return std::unexpected(key.error());
    const Result<bool> known = on_key(*key);
    if (!known) return std::unexpected(known.error());
    if (*known) continue;
    if (const auto skipped = in.skip(); !skipped) return under(*key, skipped.error());
  }
  return {};
}

/// Turns the outcome of reading one known key into what read_fields() expects.
Result<bool> known(Result<void> read) {
  if (!read) return std::unexpected(std::move(read).error());
  return true;
}

Result<std::string> read_uri(MsgpackReader& in) {
  auto text = read_text(in, uri_bytes_max);
  if (!text) return text;
  const auto address = text->starts_with("tcp://") ? parse_address(*text, 0) : fail(ErrorCode::BadData, "not tcp");
  if (!address || address->port == 0 || address->is_wildcard()) {
    return fail(ErrorCode::BadData, "not an address that can be dialled");
  }
  return text;
}

/// BootId or StoreId.
template <class Id>
Result<Id> read_id(MsgpackReader& in) {
  Id id;
  const auto bytes = in.read_bin(id.bytes.size());
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->size() != id.bytes.size()) return fail(ErrorCode::BadData, "not 16 bytes");
  std::copy(bytes->begin(), bytes->end(), id.bytes.begin());
  return id;
}

Result<std::array<std::string, limits::lane_count>> read_lanes(MsgpackReader& in) {
  std::array<std::string, limits::lane_count> lanes;
  if (const auto count = in.expect_array(lanes.size()); !count) return std::unexpected(count.error());
  for (std::string& lane : lanes) {
    auto uri = read_uri(in);
    if (!uri) return std::unexpected(uri.error());
    lane = *std::move(uri);
  }
  return lanes;
}

Result<std::vector<std::string>> read_roles(MsgpackReader& in) {
  const auto count = in.read_array();
  if (!count) return std::unexpected(count.error());
  std::vector<std::string> roles;
  for (std::size_t i = 0; i < *count; ++i) {
    auto role = read_caption(in, limits::role_bytes_max);
    if (!role) return std::unexpected(role.error());
    if (roles.size() < limits::roles_max) roles.push_back(*std::move(role));
  }
  return roles;
}

Result<MemberState> read_state(MsgpackReader& in) {
  const auto text = in.read_string(word_bytes_max);
  if (!text) return std::unexpected(text.error());
  for (const MemberState state : {MemberState::Alive, MemberState::Suspect, MemberState::Dead, MemberState::Left}) {
    if (*text == to_string(state)) return state;
  }
  return fail(ErrorCode::BadData, "no such state");
}

Result<std::uint64_t> read_incarnation(MsgpackReader& in) { return read_uint_below(in, incarnation_max); }

Result<Member> read_member(MsgpackReader& in) {
  Member member;
  const auto read = read_fields(in, [&](std::string_view key) -> Result<bool> {
    if (key == "name") return known(assign(key, read_text(in, limits::node_name_bytes_max), member.name));
    if (key == "inc") return known(assign(key, read_incarnation(in), member.incarnation));
    if (key == "boot") return known(assign(key, read_id<BootId>(in), member.boot));
    if (key == "control") return known(assign(key, read_uri(in), member.endpoints.control));
    if (key == "lanes") return known(assign(key, read_lanes(in), member.endpoints.lanes));
    if (key == "spool") return known(assign(key, read_uri(in), member.endpoints.spool));
    if (key == "roles") return known(assign(key, read_roles(in), member.roles));
    if (key == "version") return known(assign(key, read_caption(in, word_bytes_max), member.version));
    if (key == "state") return known(assign(key, read_state(in), member.state));
    return false;
  });
  if (!read) return std::unexpected(read.error());
  return member;
}

enum class Chosen : std::uint8_t { Required, Optional };

Result<void> check_member(const Member& member, Chosen incarnation) {
  if (!is_node_name(member.name)) return bad("name", "not a node name");
  if (member.endpoints.control.empty()) return bad("control", "missing");
  if (member.endpoints.lanes.front().empty()) return bad("lanes", "missing");
  if (incarnation == Chosen::Required && member.incarnation == 0) return bad("inc", "missing or 0");
  return {};
}

Result<Member> read_checked_member(MsgpackReader& in, Chosen incarnation) {
  auto member = read_member(in);
  if (!member) return member;
  if (const auto checked = check_member(*member, incarnation); !checked) return std::unexpected(checked.error());
  return member;
}

Result<std::vector<Member>> read_roster(MsgpackReader& in) {
  const auto count = read_array_up_to(in, limits::roster_entries_max);
  if (!count) return std::unexpected(count.error());
  std::vector<Member> roster;
  for (std::size_t i = 0; i < *count; ++i) {
    auto member = read_checked_member(in, Chosen::Required);
    if (!member) return std::unexpected(member.error());
    roster.push_back(*std::move(member));
  }
  return roster;
}

bool is_stream_type(std::string_view type) {
  if (!is_reserved(type)) return is_event_type(type);
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; };
  return type.size() > 1 && type.size() <= reserved_type_bytes_max &&
         std::all_of(type.begin() + 1, type.end(), allowed);
}

Result<Tail> read_tail(MsgpackReader& in) {
  if (const auto shape = in.expect_array(3); !shape) return std::unexpected(shape.error());
  const auto type = in.read_string(reserved_type_bytes_max);
  if (!type) return under("type", type.error());
  if (!is_stream_type(*type)) return bad("type", "not an event type");
  const auto shard = read_uint_below(in, 256);
  if (!shard) return under("shard", shard.error());
  const auto next = in.read_uint();
  if (!next) return under("next", next.error());
  if (*next == 0) return bad("next", "sequences begin with 1");
  return Tail{.type = std::string(*type), .shard = static_cast<std::uint8_t>(*shard), .next_sequence = *next};
}

Result<std::vector<Tail>> read_tails(MsgpackReader& in, std::size_t count_max) {
  const auto count = read_array_up_to(in, count_max);
  if (!count) return std::unexpected(count.error());
  std::vector<Tail> tails;
  for (std::size_t i = 0; i < *count; ++i) {
    auto tail = read_tail(in);
    if (!tail) return under("tails", tail.error());
    tails.push_back(*std::move(tail));
  }
  return tails;
}

Result<decltype(Heartbeat::agents)> read_agents(MsgpackReader& in) {
  const auto count = read_array_up_to(in, agents_max);
  if (!count) return std::unexpected(count.error());
  decltype(Heartbeat::agents) agents;
  for (std::size_t i = 0; i < *count; ++i) {
    if (const auto shape = in.expect_array(2); !shape) return std::unexpected(shape.error());
    auto name = read_caption(in, limits::agent_state_bytes_max);
    if (!name) return std::unexpected(name.error());
    auto state = read_caption(in, limits::agent_state_bytes_max);
    if (!state) return std::unexpected(state.error());
    agents.emplace_back(*std::move(name), *std::move(state));
  }
  return agents;
}

Result<decltype(Heartbeat::lane_depth)> read_depth(MsgpackReader& in) {
  decltype(Heartbeat::lane_depth) depth{};
  if (const auto shape = in.expect_array(depth.size()); !shape) return std::unexpected(shape.error());
  for (std::uint64_t& lane : depth) {
    const auto value = in.read_uint();
    if (!value) return std::unexpected(value.error());
    lane = *value;
  }
  return depth;
}

Result<decltype(Heartbeat::lost)> read_lost(MsgpackReader& in) {
  const auto count = in.read_map();
  if (!count) return std::unexpected(count.error());
  if (*count > loss_reasons_max) return fail(ErrorCode::BadData, "too many reasons");
  decltype(Heartbeat::lost) lost;
  for (std::size_t i = 0; i < *count; ++i) {
    auto reason = read_text(in, word_bytes_max);
    if (!reason) return std::unexpected(reason.error());
    const auto value = in.read_uint();
    if (!value) return std::unexpected(value.error());
    lost[*std::move(reason)] = *value;
  }
  return lost;
}

Result<Duration> read_interval(MsgpackReader& in) {
  const auto ns = in.read_int();
  if (!ns) return std::unexpected(ns.error());
  if (*ns < 0) return fail(ErrorCode::BadData, "negative");
  return Duration{*ns};
}

Result<StoreMark> read_store_mark(MsgpackReader& in) {
  StoreMark mark;
  bool has_store = false;
  const auto read = read_fields(in, [&](std::string_view key) -> Result<bool> {
    if (key == "store") return has_store = true, known(assign(key, read_id<StoreId>(in), mark.store));
    if (key == "mark") return known(assign(key, in.read_uint(), mark.mark));
    if (key == "frozen") return known(assign(key, in.read_bool(), mark.frozen));
    return false;
  });
  if (!read) return std::unexpected(read.error());
  if (!has_store) return bad("store", "missing");
  return mark;
}

/// A whole message: what `read` reads, and nothing behind it.
template <class Read>
auto whole(BytesView bytes, Read read) -> decltype(read(std::declval<MsgpackReader&>())) {
  if (bytes.size() > limits::message_bytes_max) return fail(ErrorCode::BadData, "longer than a message may be");
  MsgpackReader in(bytes);
  auto value = read(in);
  if (!value) return value;
  if (const auto end = in.expect_end(); !end) return std::unexpected(end.error());
  return value;
}

}  // namespace

Result<HelloRequest> decode_hello_request(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) -> Result<HelloRequest> {
    HelloRequest request;
    std::optional<Member> self;
    bool has_min = false;
    bool has_max = false;
    const auto read = read_fields(in, [&](std::string_view key) -> Result<bool> {
      if (key == "vmin") return has_min = true, known(assign(key, read_uint_below(in, 256), request.version_min));
      if (key == "vmax") return has_max = true, known(assign(key, read_uint_below(in, 256), request.version_max));
      if (key == "observer") return known(assign(key, in.read_bool(), request.observer));
      if (key == "self") return known(assign(key, read_member(in), self));
      return false;
    });
    if (!read) return std::unexpected(read.error());
    if (!has_min || !has_max || !self) return bad(!self ? "self" : has_min ? "vmax" : "vmin", "missing");
    if (!request.observer) {
      if (const auto checked = check_member(*self, Chosen::Optional); !checked) return under("self", checked.error());
    }
    request.self = *std::move(self);
    return request;
  });
}

Result<HelloReply> decode_hello_reply(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) -> Result<HelloReply> {
    HelloReply reply;
    bool has_version = false;
    const auto read = read_fields(in, [&](std::string_view key) -> Result<bool> {
      if (key == "v") return has_version = true, known(assign(key, read_uint_below(in, 256), reply.version));
      if (key == "self") return known(assign(key, read_checked_member(in, Chosen::Optional), reply.self));
      if (key == "highest") return known(assign(key, read_incarnation(in), reply.highest_incarnation));
      if (key == "taken") return known(assign(key, in.read_bool(), reply.name_taken));
      if (key == "rhash") return known(assign(key, in.read_uint(), reply.roster_hash));
      if (key == "roster") return known(assign(key, read_roster(in), reply.roster));
      if (key == "more") return known(assign(key, in.read_bool(), reply.more));
      return false;
    });
    if (!read) return std::unexpected(read.error());
    if (!has_version || reply.self.name.empty()) return bad(has_version ? "self" : "v", "missing");
    return reply;
  });
}

Result<Heartbeat> decode_heartbeat(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) -> Result<Heartbeat> {
    Heartbeat heartbeat;
    const auto read = read_fields(in, [&](std::string_view key) -> Result<bool> {
      if (key == "self") return known(assign(key, read_checked_member(in, Chosen::Required), heartbeat.self));
      if (key == "leaving") return known(assign(key, in.read_bool(), heartbeat.leaving));
      if (key == "rhash") return known(assign(key, in.read_uint(), heartbeat.roster_hash));
      if (key == "phash") return known(assign(key, read_text(in, word_bytes_max), heartbeat.policy_hash));
      if (key == "ivl") return known(assign(key, read_interval(in), heartbeat.interval));
      if (key == "agents") return known(assign(key, read_agents(in), heartbeat.agents));
      if (key == "depth") return known(assign(key, read_depth(in), heartbeat.lane_depth));
      if (key == "lost") return known(assign(key, read_lost(in), heartbeat.lost));
      if (key == "degraded") return known(assign(key, in.read_bool(), heartbeat.degraded));
      if (key == "spool") return known(assign(key, read_store_mark(in), heartbeat.spool));
      return false;
    });
    if (!read) return std::unexpected(read.error());
    if (heartbeat.self.name.empty()) return bad("self", "missing");
    return heartbeat;
  });
}

Result<std::vector<Member>> decode_roster(BytesView bytes) { return whole(bytes, read_roster); }

Result<RosterPage> decode_roster_page(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) -> Result<RosterPage> {
    RosterPage page;
    const auto read = read_fields(in, [&](std::string_view key) -> Result<bool> {
      if (key == "members") return known(assign(key, read_roster(in), page.members));
      if (key == "more") return known(assign(key, in.read_bool(), page.more));
      return false;
    });
    if (!read) return std::unexpected(read.error());
    // Nothing would follow: the next page is asked for by the last name of this one.
    if (page.more && page.members.empty()) return bad("more", "behind an empty page");
    return page;
  });
}

Result<std::vector<Tail>> decode_tails(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) { return read_tails(in, limits::streams_per_origin_max); });
}

Result<ReceivedSyncPart> decode_sync_part(BytesView bytes) {
  const auto nul = std::find(bytes.begin(), bytes.end(), std::uint8_t{0});
  if (nul == bytes.end()) return bad("topic", "no NUL behind it");
  const auto topic_bytes = static_cast<std::size_t>(nul - bytes.begin());
  if (topic_bytes > limits::topic_bytes_max) return bad("topic", "too long");
  auto topic = SyncTopic::parse({reinterpret_cast<const char*>(bytes.data()), topic_bytes});
  if (!topic) return std::unexpected(topic.error());
  return whole(bytes.subspan(topic_bytes + 1), [&](MsgpackReader& in) -> Result<ReceivedSyncPart> {
    if (const auto shape = in.expect_array(7); !shape) return std::unexpected(shape.error());
    const auto version = read_uint_below(in, 256);
    if (!version) return under("version", version.error());
    if (*version < protocol_version_min || *version > protocol_version) {
      return fail(ErrorCode::WrongVersion, "sync part of protocol version " + std::to_string(*version));
    }
    SyncPart part;
    std::uint64_t lane = 0;
    for (const Result<void>& read :
         {assign("origin", in.read_string(limits::node_name_bytes_max), part.origin.node),
          assign("incarnation", read_incarnation(in), part.origin.incarnation),
          assign("lane", read_uint_below(in, limits::lane_count), lane),
          assign("part", read_uint_below(in, std::uint64_t{1} << 32), part.part),
          assign("last", in.read_bool(), part.last),
          assign("tails", read_tails(in, limits::sync_tails_per_part_max), part.tails)}) {
      if (!read) return std::unexpected(read.error());
    }
    if (part.origin.node != topic->origin) return bad("origin", "not the one its topic names");
    if (part.origin.incarnation == 0) return bad("incarnation", "0");
    part.lane = static_cast<Priority>(lane);
    return ReceivedSyncPart{*std::move(topic), std::move(part)};
  });
}

Result<RpcRequest> decode_rpc_request(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) -> Result<RpcRequest> {
    if (const auto shape = in.expect_array(4); !shape) return std::unexpected(shape.error());
    const auto tag = in.read_uint();
    if (!tag) return under("tag", tag.error());
    if (*tag != rpc_request_tag) return bad("tag", "not a request");
    RpcRequest request;
    if (const auto read = assign("id", in.read_uint(), request.id); !read) return std::unexpected(read.error());
    if (const auto read = assign("method", read_text(in, word_bytes_max), request.method); !read) {
      return std::unexpected(read.error());
    }
    const auto params = in.read_raw();
    if (!params) return under("params", params.error());
    request.params.assign(params->begin(), params->end());
    return request;
  });
}

Result<RpcNotification> decode_rpc_notification(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) -> Result<RpcNotification> {
    if (const auto shape = in.expect_array(3); !shape) return std::unexpected(shape.error());
    if (in.read_uint() != rpc_notification_tag) return bad("tag", "not a notification");
    RpcNotification notification;
    if (const auto read = assign("method", read_text(in, word_bytes_max), notification.method); !read) {
      return std::unexpected(read.error());
    }
    const auto params = in.read_raw();
    if (!params) return under("params", params.error());
    notification.params.assign(params->begin(), params->end());
    return notification;
  });
}

bool is_rpc_notification(BytesView bytes) {
  MsgpackReader in(bytes);
  return in.take_array_of(3) && in.read_uint() == rpc_notification_tag;
}

Result<RpcReply> decode_rpc_reply(BytesView bytes) {
  return whole(bytes, [](MsgpackReader& in) -> Result<RpcReply> {
    if (const auto shape = in.expect_array(4); !shape) return std::unexpected(shape.error());
    const auto tag = in.read_uint();
    if (!tag) return under("tag", tag.error());
    if (*tag != rpc_reply_tag) return bad("tag", "not a reply");
    RpcReply reply;
    if (const auto read = assign("id", in.read_uint(), reply.id); !read) return std::unexpected(read.error());
    const auto kind = in.peek();
    if (!kind) return under("error", kind.error());
    if (*kind == MsgpackKind::Nil) {
      if (const auto nil = in.read_nil(); !nil) return std::unexpected(nil.error());
    } else {
      if (const auto shape = in.expect_array(2); !shape) return under("error", shape.error());
      if (const auto read = assign("error", read_text(in, word_bytes_max), reply.error_code); !read) {
        return std::unexpected(read.error());
      }
      if (const auto read = assign("error", read_text(in, limits::error_text_bytes_max * 4), reply.error_message);
          !read) {
        return std::unexpected(read.error());
      }
      if (reply.error_code.empty()) return bad("error", "without a code");
    }
    const auto result = in.read_raw();
    if (!result) return under("result", result.error());
    reply.result.assign(result->begin(), result->end());
    return reply;
  });
}

}  // namespace legion
