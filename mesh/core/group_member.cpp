#include <legion/core/group_member.hpp>

#include <algorithm>
#include <utility>

namespace legion {

void GroupMember::on_tick(Now now) {
  if (standing_ == Standing::In && renewal_ == Renewal::Idle && now.steady >= due_) renew(now);
}

void GroupMember::renew(Now now) {
  GroupRenewal renewal{.group = config_.group,
                       .agent = config_.agent,
                       .self = config_.self,
                       .boot = config_.boot,
                       .home = config_.home,
                       .type = config_.type,
                       .shares = config_.shares,
                       .round = ++round_,
                       .held = held(),
                       .seen = {},
                       .wish = wish_};
  for (const auto& [share, epoch] : seen_) renewal.seen.push_back({share, epoch});
  told_ = renewal.held;
  renewal_ = Renewal::UnderWay;
  due_ = now.steady + config_.renewal_every;
  effects_.push_back(SendRenewal{std::move(renewal)});
}

void GroupMember::on_answer(std::uint64_t round, const Result<GroupAnswer>& answer) {
  if (renewal_ == Renewal::Idle || round != round_) return;
  renewal_ = Renewal::Idle;
  if (standing_ == Standing::Back) return;
  if (answer) {
    trouble_.clear();
    take(*answer);
  } else {
    trouble_ = answer.error().message;
    if (answer.error().code != ErrorCode::Refused) return;
    while (!held_.empty()) lose(held_.begin()->first);
  }
}

/// What is not in the answer and was in the question is lost; what is new in it is given. What was released meanwhile
/// is in both and is not taken again.
void GroupMember::take(const GroupAnswer& answer) {
  for (const ShareLease& told : told_) {
    const auto held = held_.find(told.share);
    const bool is_ours = std::ranges::find(answer.owned, told) != answer.owned.end();
    if (held != held_.end() && held->second.epoch == told.epoch && !is_ours) lose(told.share);
  }
  for (const ShareLease& owned : answer.owned) {
    if (std::ranges::find(told_, owned) != told_.end()) continue;
    if (const auto seen = seen_.find(owned.share); seen != seen_.end()) {
      if (owned.epoch <= seen->second) continue;  // the home has not heard of it when it answered
      seen_.erase(seen);
    }
    held_[owned.share] = {owned.epoch, Held::Stage::Working};
    effects_.push_back(LeaseGiven{owned});
  }
  for (const std::uint32_t share : answer.revoke) {
    const auto held = held_.find(share);
    if (held == held_.end() || held->second.stage == Held::Stage::Revoked) continue;
    held->second.stage = Held::Stage::Revoked;
    effects_.push_back(LeaseRevoked{share});
  }
}

void GroupMember::lose(std::uint32_t share) {
  held_.erase(share);
  effects_.push_back(LeaseLost{share});
}

void GroupMember::on_released(Now now, ShareLease lease, std::uint64_t seen) {
  const auto held = held_.find(lease.share);
  if (held == held_.end() || held->second.epoch != lease.epoch) return;
  held_.erase(held);
  if (seen > 0) seen_[lease.share] = seen;
  due_ = now.steady;
}

/// An answer that is under way finds a later renewal. Its home forgets it, so that nobody takes that for a home.
void GroupMember::stand_back(Now now, std::string why) {
  standing_ = Standing::Back;
  trouble_ = std::move(why);
  while (!held_.empty()) lose(held_.begin()->first);
  const GroupRenewal::Wish wish = std::exchange(wish_, GroupRenewal::Wish::Leave);
  renew(now);
  wish_ = wish;
}

void GroupMember::on_presence(Now now, Presence presence) {
  using Wish = GroupRenewal::Wish;
  const Wish wish = presence == Presence::Present ? Wish::Share : Wish::Away;
  if (wish_ == Wish::Leave || wish_ == wish) return;
  wish_ = wish;
  due_ = now.steady;
}

void GroupMember::leave(Now now) {
  if (std::exchange(wish_, GroupRenewal::Wish::Leave) != GroupRenewal::Wish::Leave) due_ = now.steady;
}

std::vector<ShareLease> GroupMember::held() const {
  std::vector<ShareLease> leases;
  for (const auto& [share, held] : held_) leases.push_back({share, held.epoch});
  return leases;
}

}  // namespace legion
