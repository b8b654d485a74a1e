#include <legion/runtime/spool_queries_group.hpp>

#include <legion/event/share.hpp>
#include <legion/runtime/spool_queries_fields.hpp>
#include <legion/runtime/spool_queries_values.hpp>

namespace legion {

using namespace spool_wire;

namespace {

constexpr std::size_t agent_name_bytes_max = 64;
constexpr std::size_t holder_bytes_max = limits::node_name_bytes_max + 1 + agent_name_bytes_max;

void write_leases(MsgpackWriter& out, const std::vector<ShareLease>& leases) {
  out.array(leases.size());
  for (const ShareLease& lease : leases) {
    out.array(2);
    out.uint(lease.share);
    out.uint(lease.epoch);
  }
}

Result<void> read_lease(MsgpackReader& in, ShareLease& lease) {
  if (auto shape = in.expect_array(2); !shape) return shape;
  if (auto read = read_number(in, "share", lease.share, group_shares_max - 1); !read) return read;
  return read_number(in, "epoch", lease.epoch, std::uint64_t{1} << 53);
}

auto into(std::vector<ShareLease>& leases) {
  return [&leases](MsgpackReader& in) -> Result<void> {
    ShareLease lease;
    if (auto read = read_lease(in, lease); !read) return read;
    leases.push_back(lease);
    return {};
  };
}

void write(MsgpackWriter& out, const GroupHome::View& group) {
  FieldsWriter fields;
  fields.text("group", group.group);
  fields.text("type", group.type);
  fields.number("moved", group.moved);
  fields.number("grants_in_ms", static_cast<std::uint64_t>(group.grants_in / 1ms));
  MsgpackWriter& members = fields.member("members");
  members.array(group.members.size());
  for (const GroupHome::MemberView& member : group.members) {
    members.array(4);
    members.str(member.agent);
    members.uint(static_cast<std::uint64_t>(member.state));
    members.uint(member.held);
    members.uint(static_cast<std::uint64_t>(member.silent_for / 1ms));
  }
  MsgpackWriter& shares = fields.member("shares");
  shares.array(group.shares.size());
  for (const GroupHome::ShareView& share : group.shares) {
    shares.array(3);
    shares.uint(share.epoch);
    shares.str(share.holder);
    shares.uint(static_cast<std::uint64_t>(share.state));
  }
  out.raw(fields.take());
}

Result<void> read_member(MsgpackReader& in, GroupHome::MemberView& member) {
  using State = GroupHome::MemberView::State;
  if (auto shape = in.expect_array(4); !shape) return shape;
  if (auto read = read_text(in, "agent", member.agent, holder_bytes_max); !read) return read;
  std::uint8_t state = 0;
  if (auto read = read_number(in, "state", state, static_cast<std::uint64_t>(State::Away)); !read) return read;
  member.state = static_cast<State>(state);
  if (auto read = read_number(in, "held", member.held, group_shares_max); !read) return read;
  std::uint64_t silent = 0;
  if (auto read = read_number(in, "silent", silent, std::uint64_t{1} << 40); !read) return read;
  member.silent_for = silent * 1ms;
  return {};
}

Result<void> read_share(MsgpackReader& in, GroupHome::ShareView& share) {
  using State = GroupHome::ShareView::State;
  if (auto shape = in.expect_array(3); !shape) return shape;
  if (auto read = read_number(in, "epoch", share.epoch); !read) return read;
  if (auto read = read_text(in, "holder", share.holder, holder_bytes_max); !read) return read;
  std::uint8_t state = 0;
  if (auto read = read_number(in, "state", state, static_cast<std::uint64_t>(State::Revoked)); !read) return read;
  share.state = static_cast<State>(state);
  return {};
}

Result<void> read_group(MsgpackReader& in, GroupHome::View& group) {
  const auto raw = in.read_raw();
  if (!raw) return std::unexpected(raw.error());
  FieldsReader fields(*raw);
  std::uint64_t grants_in = 0;
  fields.need("group").text("group", group.group, group_name_bytes_max);
  fields.text("type", group.type, limits::wire_type_bytes_max).number("moved", group.moved);
  fields.number("grants_in_ms", grants_in, std::uint64_t{1} << 40);
  fields.each("members", group_members_max,
              [&](MsgpackReader& entry) { return read_member(entry, group.members.emplace_back()); });
  fields.each("shares", group_shares_max,
              [&](MsgpackReader& entry) { return read_share(entry, group.shares.emplace_back()); });
  group.grants_in = grants_in * 1ms;
  return fields.finish();
}

}  // namespace

Bytes encode_params(const GroupRenewal& renewal) {
  FieldsWriter out;
  out.text("group", renewal.group);
  out.text("agent", renewal.agent);
  out.text("node", renewal.self.node);
  out.number("inc", renewal.self.incarnation);
  out.member("boot").bin(renewal.boot.bytes);
  out.text("home", renewal.home);
  out.text("type", renewal.type);
  out.number("shares", renewal.shares);
  out.number("round", renewal.round);
  write_leases(out.member("held"), renewal.held);
  if (!renewal.seen.empty()) write_leases(out.member("seen"), renewal.seen);
  if (renewal.wish == GroupRenewal::Wish::Leave) out.flag("leave", true);
  if (renewal.wish == GroupRenewal::Wish::Away) out.flag("away", true);
  return out.take();
}

Result<GroupRenewal> decode_group_renewal(BytesView params) {
  FieldsReader in(params);
  GroupRenewal renewal;
  bool leaves = false;
  bool is_away = false;
  in.need("group").text("group", renewal.group, limits::subscription_name_bytes_max);
  in.need("agent").text("agent", renewal.agent, agent_name_bytes_max);
  in.need("node").text("node", renewal.self.node, limits::node_name_bytes_max);
  in.need("inc").number("inc", renewal.self.incarnation);
  in.need("boot").bytes("boot", renewal.boot.bytes);
  in.need("home").text("home", renewal.home, limits::node_name_bytes_max);
  in.need("type").text("type", renewal.type, limits::wire_type_bytes_max);
  in.need("shares").number("shares", renewal.shares, group_shares_max);
  in.need("round").number("round", renewal.round);
  in.need("held").each("held", group_shares_max, into(renewal.held));
  in.each("seen", group_shares_max, into(renewal.seen));
  in.flag("leave", leaves).flag("away", is_away);
  if (is_away) renewal.wish = GroupRenewal::Wish::Away;
  if (leaves) renewal.wish = GroupRenewal::Wish::Leave;
  return in.finish(std::move(renewal));
}

Bytes encode_result(const GroupAnswer& answer) {
  FieldsWriter out;
  write_leases(out.member("owned"), answer.owned);
  MsgpackWriter& revoke = out.member("revoke");
  revoke.array(answer.revoke.size());
  for (const std::uint32_t share : answer.revoke) revoke.uint(share);
  return out.take();
}

Result<GroupAnswer> decode_group_answer(BytesView result) {
  FieldsReader in(result);
  GroupAnswer answer;
  in.need("owned").each("owned", group_shares_max, into(answer.owned));
  in.each("revoke", group_shares_max, [&](MsgpackReader& entry) -> Result<void> {
    std::uint32_t share = 0;
    if (auto read = read_number(entry, "share", share, group_shares_max - 1); !read) return read;
    answer.revoke.push_back(share);
    return {};
  });
  return in.finish(std::move(answer));
}

Bytes encode_result(const std::vector<GroupHome::View>& groups) {
  FieldsWriter out;
  MsgpackWriter& all = out.member("groups");
  all.array(groups.size());
  for (const GroupHome::View& group : groups) write(all, group);
  return out.take();
}

Result<std::vector<GroupHome::View>> decode_groups(BytesView result) {
  FieldsReader in(result);
  std::vector<GroupHome::View> groups;
  in.need("groups").each("groups", groups_max,
                         [&](MsgpackReader& entry) { return read_group(entry, groups.emplace_back()); });
  return in.finish(std::move(groups));
}

namespace spool_question {

SpoolQuestion<GroupAnswer> group(const GroupRenewal& renewal) {
  return {"group", encode_params(renewal), [](const SpoolReply& reply) { return decode_group_answer(reply.result); }};
}

SpoolQuestion<std::vector<GroupHome::View>> groups() {
  return {"groups", {}, [](const SpoolReply& reply) { return decode_groups(reply.result); }};
}

}  // namespace spool_question
}  // namespace legion
