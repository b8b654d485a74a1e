// The writing half of the control messages, heartbeats and sync parts.
#include <legion/core/messages.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

constexpr std::uint64_t rpc_request_tag = 0;
constexpr std::uint64_t rpc_notification_tag = 2;
constexpr std::uint64_t rpc_reply_tag = 1;

void write_member(MsgpackWriter& out, const Member& member) {
  const bool spool = !member.endpoints.spool.empty();
  out.map(spool ? 9 : 8);
  out.str("name");
  out.str(member.name);
  out.str("inc");
  out.uint(member.incarnation);
  out.str("boot");
  out.bin(member.boot.bytes);
  out.str("control");
  out.str(member.endpoints.control);
  out.str("lanes");
  out.array(member.endpoints.lanes.size());
  for (const std::string& lane : member.endpoints.lanes) out.str(lane);
  if (spool) {
    out.str("spool");
    out.str(member.endpoints.spool);
  }
  out.str("roles");
  out.array(member.roles.size());
  for (const std::string& role : member.roles) out.str(role);
  out.str("version");
  out.str(member.version);
  out.str("state");
  out.str(to_string(member.state));
}

void write_observer(MsgpackWriter& out, const Member& observer) {
  out.map(2);
  out.str("name");
  out.str(observer.name);
  out.str("boot");
  out.bin(observer.boot.bytes);
}

void write_roster(MsgpackWriter& out, const std::vector<Member>& roster) {
  out.array(roster.size());
  for (const Member& member : roster) write_member(out, member);
}

void write_tails(MsgpackWriter& out, const std::vector<Tail>& tails) {
  out.array(tails.size());
  for (const Tail& tail : tails) {
    out.array(3);
    out.str(tail.type);
    out.uint(tail.shard);
    out.uint(tail.next_sequence);
  }
}

void write_store_mark(MsgpackWriter& out, const StoreMark& spool) {
  out.map(3);
  out.str("store");
  out.bin(spool.store.bytes);
  out.str("mark");
  out.uint(spool.mark);
  out.str("frozen");
  out.boolean(spool.frozen);
}

}  // namespace

Bytes encode(const HelloRequest& request) {
  MsgpackWriter out;
  out.map(4);
  out.str("vmin");
  out.uint(request.version_min);
  out.str("vmax");
  out.uint(request.version_max);
  out.str("observer");
  out.boolean(request.observer);
  out.str("self");
  if (request.observer) {
    write_observer(out, request.self);
  } else {
    write_member(out, request.self);
  }
  return out.take();
}

Bytes encode(const HelloReply& reply) {
  MsgpackWriter out;
  out.map(7);
  out.str("v");
  out.uint(reply.version);
  out.str("self");
  write_member(out, reply.self);
  out.str("highest");
  out.uint(reply.highest_incarnation);
  out.str("taken");
  out.boolean(reply.name_taken);
  out.str("rhash");
  out.uint(reply.roster_hash);
  out.str("roster");
  write_roster(out, reply.roster);
  out.str("more");
  out.boolean(reply.more);
  return out.take();
}

Bytes encode(const Heartbeat& heartbeat) {
  MsgpackWriter out;
  out.map(8 + (heartbeat.degraded ? 1 : 0) + (heartbeat.spool ? 1 : 0));
  out.str("self");
  write_member(out, heartbeat.self);
  out.str("leaving");
  out.boolean(heartbeat.leaving);
  out.str("rhash");
  out.uint(heartbeat.roster_hash);
  out.str("phash");
  out.str(heartbeat.policy_hash);
  out.str("ivl");
  out.integer(heartbeat.interval.count());
  out.str("agents");
  out.array(heartbeat.agents.size());
  for (const auto& [name, state] : heartbeat.agents) {
    out.array(2);
    out.str(name);
    out.str(state);
  }
  out.str("depth");
  out.array(heartbeat.lane_depth.size());
  for (const std::uint64_t depth : heartbeat.lane_depth) out.uint(depth);
  out.str("lost");
  out.map(heartbeat.lost.size());
  for (const auto& [reason, count] : heartbeat.lost) {
    out.str(reason);
    out.uint(count);
  }
  if (heartbeat.degraded) {
    out.str("degraded");
    out.boolean(true);
  }
  if (heartbeat.spool) {
    out.str("spool");
    write_store_mark(out, *heartbeat.spool);
  }
  return out.take();
}

Bytes encode(const std::vector<Member>& roster) {
  MsgpackWriter out;
  write_roster(out, roster);
  return out.take();
}

Bytes encode(const RosterPage& page) {
  MsgpackWriter out;
  out.map(2);
  out.str("members");
  write_roster(out, page.members);
  out.str("more");
  out.boolean(page.more);
  return out.take();
}

Bytes encode(const std::vector<Tail>& tails) {
  MsgpackWriter out;
  write_tails(out, tails);
  return out.take();
}

Bytes encode_sync_part(const SyncTopic& topic, const SyncPart& part) {
  const std::string text = topic.to_string();
  Bytes bytes(text.begin(), text.end());
  bytes.push_back(0);
  MsgpackWriter out(std::move(bytes));
  out.array(7);
  out.uint(protocol_version);
  out.str(part.origin.node);
  out.uint(part.origin.incarnation);
  out.uint(lane_index(part.lane));
  out.uint(part.part);
  out.boolean(part.last);
  write_tails(out, part.tails);
  return out.take();
}

Bytes encode(const RpcRequest& request) {
  MsgpackWriter out;
  out.array(4);
  out.uint(rpc_request_tag);
  out.uint(request.id);
  out.str(request.method);
  if (request.params.empty()) {
    out.nil();
  } else {
    out.raw(request.params);
  }
  return out.take();
}

Bytes encode(const RpcReply& reply) {
  MsgpackWriter out;
  out.array(4);
  out.uint(rpc_reply_tag);
  out.uint(reply.id);
  if (reply.error_code.empty()) {
    out.nil();
  } else {
    out.array(2);
    out.str(reply.error_code);
    out.str(reply.error_message);
  }
  if (reply.result.empty() || !reply.error_code.empty()) {
    out.nil();
  } else {
    out.raw(reply.result);
  }
  return out.take();
}

Bytes encode(const RpcNotification& notification) {
  MsgpackWriter out;
  out.array(3);
  out.uint(rpc_notification_tag);
  out.str(notification.method);
  out.raw(notification.params);
  return out.take();
}

}  // namespace legion
