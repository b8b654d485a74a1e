#include <legion/runtime/group_host.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/base/overloaded.hpp>
#include <legion/core/group_rivals.hpp>
#include <legion/runtime/spool_queries_group.hpp>

namespace legion {

namespace {

constexpr Duration answer_timeout = 2s;
constexpr Duration look_every = 2s;

}  // namespace

std::vector<GroupHost::Membership> GroupHost::memberships(std::span<const DurableHandler> handlers,
                                                          const Origin& self, const BootId& boot) {
  std::vector<Membership> all;
  for (const DurableHandler& handler : handlers) {
    if (!handler.share || handler.share->index != 0) continue;
    GroupMember::Config config;
    config.group = std::string(group_of(handler.durable).value_or(""));
    config.agent = handler.agent.substr(handler.agent.find('/') + 1);
    config.self = self;
    config.boot = boot;
    config.home = handler.home;
    config.type = handler.filter.text();
    config.shares = handler.share->of;
    all.push_back({std::move(config), handler.subscription});
  }
  return all;
}

void GroupHost::open(DurableHost& durable, std::vector<Membership> memberships, Agents agents, LogSink log) {
  LEGION_ASSERT(durable_ == nullptr);
  durable_ = &durable;
  agents_ = std::move(agents);
  log_ = std::move(log);
  add(std::move(memberships));
  durable.on_released = [this](Now now, const ShareReleased& released) { on_released(now, released); };
}

void GroupHost::add(std::vector<Membership> memberships) {
  for (Membership& one : memberships) {
    all_.push_back({GroupMember(std::move(one.config)), one.first, {}, GroupPresence(agents_.grace)});
  }
}

void GroupHost::on_tick(Now now) {
  if (all_.empty()) return;
  if (look_ == Look::UnderWay && unanswered_ == 0) judge_rivals(now);
  if (look_ != Look::UnderWay && now.steady >= look_due_) look_for_rivals(now);
  if (!has_looked_) return;
  for (One& one : all_) {
    look_at_agent(now, one);
    one.member.on_tick(now);
    carry_out(now, one);
  }
}

void GroupHost::look_at_agent(Now now, One& one) {
  const bool is_up = agents_.state(one.first) == AgentState::Up;
  const bool was_away = one.member.is_away();
  one.member.on_presence(
      now, one.presence.on_look(now.steady, is_up ? GroupPresence::Agent::Up : GroupPresence::Agent::Down));
  if (one.member.is_away() == was_away) return;
  const std::string who = "group " + one.member.config().group + ": agent " + one.member.config().agent;
  log_(LogLevel::Info, who + (was_away ? " is up and asks for shares" : " is down; it has no shares until it is up"));
}

void GroupHost::look_for_rivals(Now now) {
  look_ = Look::UnderWay;
  look_due_ = now.steady + look_every;
  told_by_.clear();
  for (const auto& [name, uri] : durable_->spools()) {
    SpoolAsker* asker = durable_->asker(name);
    if (asker == nullptr) continue;
    ++unanswered_;
    asker->ask<std::vector<GroupHome::View>>(now, spool_question::groups(), answer_timeout,
                                             [this, name](const Result<std::vector<GroupHome::View>>& views) {
                                               --unanswered_;
                                               if (views) told_by_[name] = *views;
                                             });
  }
}

/// Where the home did not answer everything stays as it is.
void GroupHost::judge_rivals(Now now) {
  look_ = Look::Done;
  has_looked_ = true;
  for (One& one : all_) {
    const GroupMember::Config& config = one.member.config();
    if (!told_by_.contains(config.home)) continue;
    auto why = rival_home(config.group, config.home, told_by_);
    if (!why) {
      one.member.go_on();
      continue;
    }
    one.member.stand_back(now, *std::move(why));
    tell_of_trouble(one);
  }
}

void GroupHost::on_released(Now now, const ShareReleased& released) {
  for (One& one : all_) {
    const GroupMember::Config& config = one.member.config();
    const std::uint32_t share = released.subscription.value - one.first.value;
    if (released.subscription.value < one.first.value || share >= config.shares) continue;
    one.member.on_released(now, {share, released.epoch}, released.seen);
  }
}

void GroupHost::leave(Now now) {
  for (One& one : all_) one.member.leave(now);
  on_tick(now);
}

bool GroupHost::settled() const {
  return std::ranges::all_of(
      all_, [](const One& one) { return one.member.holds_nothing() || !one.member.trouble().empty(); });
}

void GroupHost::carry_out(Now now, One& one) {
  DurableSubscriptions& durable = durable_->subscriptions();
  const auto subscription_of = [&](std::uint32_t share) { return SubscriptionId{one.first.value + share}; };
  for (const GroupMemberEffect& effect : one.member.take_effects()) {
    std::visit(Overloaded{
                   [&](const SendRenewal& send_it) { send(now, one, send_it.renewal); },
                   [&](const LeaseGiven& given) {
                     durable.on_lease(now, subscription_of(given.lease.share), given.lease.epoch);
                   },
                   [&](const LeaseRevoked& revoked) { durable.on_lease_revoked(now, subscription_of(revoked.share)); },
                   [&](const LeaseLost& lost) { durable.on_lease_lost(now, subscription_of(lost.share)); },
               },
               effect);
  }
}

void GroupHost::send(Now now, One& one, const GroupRenewal& renewal) {
  SpoolAsker* asker = durable_->asker(renewal.home);
  if (asker == nullptr) {
    return on_answer(one, renewal.round, fail(ErrorCode::Unreachable, "no spool " + renewal.home + " is known here"));
  }
  asker->ask<GroupAnswer>(
      now, spool_question::group(renewal), answer_timeout,
      [this, &one, round = renewal.round](const Result<GroupAnswer>& answer) { on_answer(one, round, answer); });
}

void GroupHost::on_answer(One& one, std::uint64_t round, const Result<GroupAnswer>& answer) {
  one.member.on_answer(round, answer);
  if (answer || answer.error().code != ErrorCode::Closed) tell_of_trouble(one);  // Closed: the asker goes
  carry_out(durable_->now(), one);
}

/// Once, until it is another one.
void GroupHost::tell_of_trouble(One& one) {
  const std::string& trouble = one.member.trouble();
  const GroupMember::Config& config = one.member.config();
  std::string why = trouble;
  if (why.empty()) {
    why = one.member.is_away() ? "its agent is down; another member of the group has it, or nobody"
                               : "another member of the group has it, or nobody";
  }
  for (std::uint32_t share = 0; share < config.shares; ++share) {
    durable_->subscriptions().on_no_lease({one.first.value + share}, why);
  }
  if (std::exchange(one.told, trouble) == trouble) return;
  log_(trouble.empty() ? LogLevel::Info : LogLevel::Warn,
       trouble.empty() ? "group " + config.group + ": its home " + config.home + " answers"
                       : "group " + config.group + ": its home " + config.home + ": " + trouble +
                             (one.member.holds_nothing() ? "; it gets no shares" : "; it keeps the shares it has"));
}

}  // namespace legion
