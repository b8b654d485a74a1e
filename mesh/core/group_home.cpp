#include <legion/core/group_home.hpp>

#include <algorithm>
#include <tuple>

#include <legion/base/planted.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/share.hpp>

namespace legion {

namespace {

std::string name_of(const GroupRenewal& renewal) { return renewal.self.node + '/' + renewal.agent; }

Result<void> check(const GroupRenewal& renewal) {
  const auto bad = [](const std::string& what) { return fail(ErrorCode::InvalidArgument, what); };
  if (!is_group_name(renewal.group)) return bad("group: not a name of one");
  if (!is_node_name(renewal.self.node) || !is_node_name(renewal.agent)) return bad("node, agent: not names");
  if (renewal.self.incarnation == 0) return bad("inc: 0");
  if (renewal.shares == 0 || renewal.shares > group_shares_max) {
    return bad("shares: expected 1 to " + std::to_string(group_shares_max));
  }
  if (const auto filter = Filter::parse(renewal.type); !filter) return bad("type: " + filter.error().message);
  for (const auto* leases : {&renewal.held, &renewal.seen}) {
    const auto is_outside = [&](const ShareLease& lease) { return lease.share >= renewal.shares || lease.epoch == 0; };
    if (std::ranges::any_of(*leases, is_outside)) return bad("held, seen: no such share");
  }
  return {};
}

/// So many of them at even distances. The shards of a type with fewer shards than the group has shares are in the first
/// shares; neighbours go to different members, so that each gets some of those.
template <class T>
std::vector<T> spread(const std::vector<T>& all, std::size_t count) {
  std::vector<T> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(all[(2 * i + 1) * all.size() / (2 * count)]);
  return some;
}

}  // namespace

Result<GroupAnswer> GroupHome::renew(Now now, const GroupRenewal& renewal) {
  if (const auto good = check(renewal); !good) return std::unexpected(good.error());
  if (renewal.home != config_.node) {
    return fail(ErrorCode::Refused,
                "group " + renewal.group + ": this is " + config_.node + ", not its home " + renewal.home);
  }
  if (!started_at_) started_at_ = now.steady;
  const std::string name = name_of(renewal);
  const auto found = group_of(renewal, name);
  if (!found) return std::unexpected(found.error());
  Group& group = **found;
  if (!LEGION_PLANTED(DeadMembersShareWaits) || now.steady.ns % 20'000'000'000 < 400'000'000) forget_gone(group);
  if (const auto admitted = admit(now, group, renewal, name); !admitted) return std::unexpected(admitted.error());
  take_report(group, renewal, name);
  if (grants_in(now) == Duration{0}) balance(now, group, name);
  GroupAnswer answer;
  for (std::uint32_t i = 0; i < group.shares.size(); ++i) {
    const ShareState& share = group.shares[i];
    if (share.holder != name) continue;
    answer.owned.push_back({i, share.epoch});
    if (share.is_revoked) answer.revoke.push_back(i);
  }
  if (renewal.wish == GroupRenewal::Wish::Leave && answer.owned.empty()) group.members.erase(name);
  return answer;
}

/// The group as this member knows it. Where nobody else is left it is what this one says, and the epochs stay.
Result<GroupHome::Group*> GroupHome::group_of(const GroupRenewal& renewal, const std::string& name) {
  auto found = groups_.find(renewal.group);
  if (found == groups_.end()) {
    if (groups_.size() >= groups_max) {
      std::erase_if(groups_, [&](const auto& entry) { return is_empty(entry.second, ""); });
    }
    if (groups_.size() >= groups_max) return fail(ErrorCode::WouldBlock, "this home has too many groups");
    found = groups_.emplace(renewal.group, Group{}).first;
  }
  Group& group = found->second;
  if (is_empty(group, name)) {
    group.type = renewal.type;
    if (group.shares.size() != renewal.shares) {
      for (ShareState& share : group.shares) share = {.epoch = share.epoch, .holder = {}, .last_holder = {}};
    }
    group.shares.resize(renewal.shares);
  }
  const auto differs = [&](const std::string& what, const std::string& own, const std::string& theirs) {
    return fail(ErrorCode::Refused, "group " + renewal.group + ": " + name + " says " + what + " = " + own +
                                        ", its other members say " + theirs);
  };
  if (group.type != renewal.type) return differs("type", '"' + renewal.type + '"', '"' + group.type + '"');
  if (group.shares.size() != renewal.shares) {
    return differs("shares", std::to_string(renewal.shares), std::to_string(group.shares.size()));
  }
  return &group;
}

/// Nobody but this one is a member and not gone.
bool GroupHome::is_empty(const Group& group, const std::string& but) const {
  return std::ranges::all_of(
      group.members, [&](const auto& entry) { return entry.first == but || config_.is_gone(entry.second.origin); });
}

void GroupHome::forget_gone(Group& group) {
  std::erase_if(group.members, [&](const auto& entry) {
    if (!config_.is_gone(entry.second.origin)) return false;
    free_all(group, entry.first);
    return true;
  });
}

void GroupHome::free_all(Group& group, const std::string& holder) {
  for (ShareState& share : group.shares) {
    if (share.holder != holder) continue;
    share.last_holder = std::exchange(share.holder, {});
    share.is_revoked = false;
  }
}

Result<void> GroupHome::admit(Now now, Group& group, const GroupRenewal& renewal, const std::string& name) {
  const auto found = group.members.find(name);
  if (found != group.members.end()) {
    const Member& known = found->second;
    const bool is_same_life = known.origin == renewal.self && known.boot == renewal.boot;
    if (!is_same_life && renewal.self.incarnation <= known.origin.incarnation) {
      return fail(ErrorCode::Refused, "group " + renewal.group + ": " + name + " has a later life");
    }
    if (is_same_life && renewal.round <= known.round) {
      return fail(ErrorCode::Refused, "group " + renewal.group + ": overtaken by a later renewal");
    }
    if (!is_same_life) free_all(group, name);
  } else if (config_.is_gone(renewal.self)) {
    // A home that has just started takes everybody for dead until it hears from them.
    if (grants_in(now) > Duration{0}) {
      return fail(ErrorCode::WouldBlock, "group " + renewal.group + ": its home has just started");
    }
    return fail(ErrorCode::Refused, "group " + renewal.group + ": this life of " + renewal.self.node + " is over");
  } else if (group.members.size() >= group_members_max) {
    return fail(ErrorCode::WouldBlock, "group " + renewal.group + " has too many members");
  }
  group.members[name] = {renewal.self, renewal.boot, renewal.round, now.steady, renewal.wish};
  return {};
}

void GroupHome::take_report(Group& group, const GroupRenewal& renewal, const std::string& name) {
  for (std::uint32_t i = 0; i < group.shares.size(); ++i) {
    ShareState& share = group.shares[i];
    const auto held = std::ranges::find(renewal.held, i, &ShareLease::share);
    const bool is_held = held != renewal.held.end();
    if (is_held && (held->epoch > share.epoch || (held->epoch == share.epoch && share.holder.empty()))) {
      share = {.epoch = held->epoch, .holder = name, .last_holder = name, .is_revoked = false};
    } else if (share.holder == name && (!is_held || held->epoch < share.epoch)) {
      share.last_holder = std::exchange(share.holder, {});  // released, or never heard of
      share.is_revoked = false;
    }
  }
  for (const ShareLease& seen : renewal.seen) {
    std::uint64_t& epoch = group.shares[seen.share].epoch;
    epoch = std::max(epoch, seen.epoch);
  }
}

/// Those it may keep: what is revoked is on its way to somebody else.
std::size_t GroupHome::held_by(const Group& group, const std::string& name) {
  return static_cast<std::size_t>(std::ranges::count_if(
      group.shares, [&](const ShareState& share) { return share.holder == name && !share.is_revoked; }));
}

/// As many as the others; what cannot be divided stays with those who have the most.
std::size_t GroupHome::target_of(const Group& group, const std::string& name) const {
  const auto stays = [](const auto& entry) { return entry.second.wish == GroupRenewal::Wish::Share; };
  const auto members = static_cast<std::size_t>(std::ranges::count_if(group.members, stays));
  if (members == 0 || !stays(*group.members.find(name))) return 0;
  const std::size_t own = held_by(group, name);
  const auto before = static_cast<std::size_t>(std::ranges::count_if(group.members, [&](const auto& entry) {
    if (!stays(entry)) return false;
    const std::size_t held = held_by(group, entry.first);
    return held > own || (held == own && entry.first < name);
  }));
  return group.shares.size() / members + (before < group.shares.size() % members ? 1 : 0);
}

void GroupHome::balance(Now now, Group& group, const std::string& name) const {
  const std::size_t target = target_of(group, name);
  std::vector<ShareState*> own;
  std::vector<ShareState*> free;
  for (ShareState& share : group.shares) {
    if (share.holder.empty()) free.push_back(&share);
    if (share.holder == name && !share.is_revoked) own.push_back(&share);
  }
  if (own.size() > target) {
    for (ShareState* share : spread(own, own.size() - target)) share->is_revoked = true;
  } else {
    for (ShareState* share : spread(free, std::min(target - own.size(), free.size()))) grant(now, group, *share, name);
  }
}

/// The wall clock is in it for homes that have forgotten everything.
void GroupHome::grant(Now now, Group& group, ShareState& share, const std::string& name) const {
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(now.wall.ns / 1'000'000, 0));
  if (!share.last_holder.empty() && share.last_holder != name) ++group.moved;
  share.epoch = std::max(share.epoch, milliseconds) + 1;
  share.holder = name;
  share.last_holder = name;
}

Duration GroupHome::grants_in(Now now) const {
  if (!started_at_) return config_.grace;
  return std::max(Duration{0}, config_.grace - (now.steady - *started_at_));
}

std::vector<GroupHome::View> GroupHome::view(Now now) const {
  std::vector<View> all;
  for (const auto& [name, group] : groups_) {
    View view{.group = name,
              .type = group.type,
              .members = {},
              .shares = {},
              .moved = group.moved,
              .grants_in = grants_in(now)};
    for (const auto& [agent, member] : group.members) {
      MemberView row{.agent = agent, .silent_for = now.steady - member.heard, .held = 0};
      row.held = static_cast<std::size_t>(std::ranges::count(group.shares, agent, &ShareState::holder));
      if (member.wish == GroupRenewal::Wish::Leave) row.state = MemberView::State::Leaving;
      if (member.wish == GroupRenewal::Wish::Away) row.state = MemberView::State::Away;
      if (config_.is_gone(member.origin)) row.state = MemberView::State::Gone;
      view.members.push_back(std::move(row));
    }
    for (const ShareState& share : group.shares) {
      const auto held = share.is_revoked ? ShareView::State::Revoked : ShareView::State::Held;
      view.shares.push_back({share.epoch, share.holder, share.holder.empty() ? ShareView::State::Free : held});
    }
    all.push_back(std::move(view));
  }
  return all;
}

std::optional<Origin> GroupHome::holder(std::string_view group, std::uint32_t share) const {
  const auto found = groups_.find(group);
  if (found == groups_.end() || share >= found->second.shares.size()) return std::nullopt;
  const auto member = found->second.members.find(found->second.shares[share].holder);
  if (member == found->second.members.end() || config_.is_gone(member->second.origin)) return std::nullopt;
  return member->second.origin;
}

}  // namespace legion
