#include "group_world.hpp"

#include <algorithm>
#include <stdexcept>

namespace legion::test {

namespace {

constexpr Duration step_time = 20ms;
constexpr Duration answer_timeout = 500ms;

}  // namespace

GroupWorld::GroupWorld(std::uint64_t seed) : seed_(seed), rng_(seed) {
  shares_ = static_cast<std::uint32_t>(1 + rng_.below(16));
  nodes_.resize(1 + rng_.below(6));
  for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_[i].name = "n" + std::to_string(i);
  restart_home();
}

void GroupWorld::broken(const std::string& what) const {
  throw std::logic_error("seed " + std::to_string(seed_) + " at " + std::to_string(now_.steady.ns / 1'000'000) +
                         " ms: " + what);
}

void GroupWorld::restart_home() {
  home_.emplace(GroupHome::Config{"vault", dead_after_ + 2 * group_renewal_every,
                                  [this](const Origin& origin) { return is_gone(origin); }});
}

/// What the home's membership says: of a node that has been silent for so long.
bool GroupWorld::is_gone(const Origin& origin) const {
  const auto node = std::ranges::find(nodes_, origin.node, &Node::name);
  if (node->incarnation > origin.incarnation) return true;
  return node->state != Node::State::Up && now_.steady - node->silent_since > dead_after_;
}

void GroupWorld::step() { step(Weather::Rough); }

void GroupWorld::step(Weather weather) {
  now_.steady = now_.steady + step_time;
  now_.wall = now_.wall + step_time;
  if (weather == Weather::Rough) disturb();
  deliver();
  for (Node& node : nodes_) {
    if (node.state == Node::State::Up) run(node);
  }
}

void GroupWorld::disturb() {
  if (now_.steady >= home_changes_at_ && rng_.chance(0.002)) {
    if (home_) {
      home_.reset();
      home_changes_at_ = now_.steady + Duration{static_cast<std::int64_t>(rng_.below(6'000'000'000))};
    }
  }
  if (!home_ && now_.steady >= home_changes_at_) {
    ++tally_.restarts;
    restart_home();
    if (rng_.chance(0.2)) {
      now_.wall = now_.wall + -Duration(3h);
      has_clock_gone_back_ = true;
    }
    home_changes_at_ = now_.steady + 4s;
  }
  for (Node& node : nodes_) {
    if (now_.steady >= node.link_changes_at) {  // never for so long that a home could not hear of a holder
      node.link = !node.link;
      node.link_changes_at = now_.steady + (node.link ? Duration{500ms + Duration(rng_.below(5'000'000'000))}
                                                      : Duration(rng_.below(700'000'000)));
    }
    if (now_.steady >= node.presence_changes_at) {
      using Presence = GroupMember::Presence;
      const bool goes = node.presence == Presence::Present;
      node.presence = goes ? Presence::Away : Presence::Present;
      if (goes) ++tally_.absences;
      const Duration longest = goes ? 8s : 30s;
      node.presence_changes_at = now_.steady + Duration(rng_.below(static_cast<std::uint64_t>(longest.count())));
    }
    if (now_.steady < node.changes_at) continue;
    if (node.state == Node::State::Down) {
      start(node);
    } else if (node.state == Node::State::Paused) {
      node.state = Node::State::Up;
    } else {
      node.silent_since = now_.steady;
      node.state = rng_.chance(0.5) ? Node::State::Paused : Node::State::Down;
      ++(node.state == Node::State::Down ? tally_.deaths : tally_.pauses);
      if (node.state == Node::State::Down) node.member.reset();
      if (node.state == Node::State::Down) node.works_on.clear();
    }
    const Duration longest = node.state == Node::State::Up ? 30s : 6s;
    node.changes_at = now_.steady + Duration(rng_.below(static_cast<std::uint64_t>(longest.count())));
  }
}

void GroupWorld::start(Node& node) {
  node.state = Node::State::Up;
  ++node.incarnation;
  node.member.emplace(GroupMember::Config{.group = "features",
                                          .agent = "worker",
                                          .self = {node.name, node.incarnation},
                                          .boot = {},
                                          .home = "vault",
                                          .type = "features.",
                                          .shares = shares_});
}

void GroupWorld::run(Node& node) {
  node.member->on_presence(now_, node.presence);
  node.member->on_tick(now_);
  carry_out(node);
  for (auto work = node.works_on.begin(); work != node.works_on.end();) {
    const bool is_over = work->second.is_revoked && now_.steady >= work->second.due;
    if (is_over) ++tally_.releases;
    if (is_over) node.member->on_released(now_, {work->first, work->second.epoch}, 0);
    work = is_over ? node.works_on.erase(work) : std::next(work);
  }
}

void GroupWorld::carry_out(Node& node) {
  for (const GroupMemberEffect& effect : node.member->take_effects()) {
    if (const auto* send = std::get_if<SendRenewal>(&effect)) {
      const Message message{
          .node = node.name, .incarnation = node.incarnation, .round = send->renewal.round, .renewal = send->renewal};
      const Duration travel(rng_.below(60'000'000));
      if (node.link) messages_.emplace(now_.steady + travel, message);
      Message timeout = message;
      timeout.renewal.reset();
      timeout.answer = fail(ErrorCode::TimedOut, "no answer");
      messages_.emplace(now_.steady + answer_timeout, timeout);
    } else if (const auto* given = std::get_if<LeaseGiven>(&effect)) {
      take(node, given->lease);
    } else if (const auto* revoked = std::get_if<LeaseRevoked>(&effect)) {
      const auto work = node.works_on.find(revoked->share);
      if (work == node.works_on.end()) continue;  // it was not taken up
      work->second.is_revoked = true;
      work->second.due = now_.steady + Duration(rng_.below(900'000'000));
    } else if (const auto* lost = std::get_if<LeaseLost>(&effect)) {
      ++tally_.losses;
      if (node.works_on.erase(lost->share) != 1) broken(node.name + " lost what it had not");
    }
  }
}

/// What a cursor exceeds is given back. Else never one lease twice, and never what somebody works on who is there.
void GroupWorld::take(Node& node, const ShareLease& lease) {
  ++tally_.leases;
  const std::string what = "share " + std::to_string(lease.share) + " epoch " + std::to_string(lease.epoch);
  if (lease.share >= shares_) broken("no such share");
  std::uint64_t& cursor = cursors_[lease.share];
  if (cursor >= lease.epoch) {
    if (!has_clock_gone_back_) broken(what + " is not above one given before");
    ++tally_.exceeded;
    return node.member->on_released(now_, lease, cursor);
  }
  cursor = lease.epoch;
  if (!node.works_on.emplace(lease.share, Work{.epoch = lease.epoch}).second) broken(what + " replaces another");
  for (const Node& other : nodes_) {
    const auto work = other.works_on.find(lease.share);
    if (&other == &node || work == other.works_on.end()) continue;
    if (other.state == Node::State::Up && other.silent_since + dead_after_ + 6s < now_.steady) {
      broken(what + ": given to " + node.name + " while " + other.name + " works on it");
    }
  }
}

void GroupWorld::deliver() {
  while (!messages_.empty() && messages_.begin()->first <= now_.steady) {
    const auto message = messages_.extract(messages_.begin());
    deliver(message.mapped());
  }
}

void GroupWorld::deliver(const Message& message) {
  Node& node = *std::ranges::find(nodes_, message.node, &Node::name);
  if (message.renewal) {
    if (!home_) return;
    Message answer = message;
    answer.renewal.reset();
    answer.answer = home_->renew(now_, *message.renewal);
    if (node.link) messages_.emplace(now_.steady + Duration(rng_.below(60'000'000)), answer);
    return;
  }
  if (node.state == Node::State::Down || node.incarnation != message.incarnation) return;
  if (node.state == Node::State::Paused) {  // it reads it when it goes on
    messages_.emplace(now_.steady + step_time, message);
    return;
  }
  node.member->on_answer(message.round, *message.answer);
  carry_out(node);
}

std::size_t GroupWorld::holders_of(std::uint32_t share) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(nodes_, [&](const Node& node) { return node.works_on.contains(share); }));
}

/// Then it has nothing, and the others have everything.
void GroupWorld::leave_one_away(const std::function<void(Duration)>& run_for) {
  Node& away = nodes_[rng_.below(nodes_.size())];
  away.presence = GroupMember::Presence::Away;
  run_for(dead_after_ + 6s);
  if (!away.works_on.empty()) broken(away.name + " is away and has shares");
  for (std::uint32_t share = 0; share < shares_ && nodes_.size() > 1; ++share) {
    if (holders_of(share) != 1) broken("share " + std::to_string(share) + " lies while " + away.name + " is away");
  }
  away.presence = GroupMember::Presence::Present;
}

void GroupWorld::finish() {
  for (Node& node : nodes_) {
    node.link = true;
    node.presence = GroupMember::Presence::Present;
    if (node.state == Node::State::Down) start(node);
    node.state = Node::State::Up;
  }
  if (!home_) restart_home();
  const auto run_for = [this](Duration time) {
    for (const SteadyTime end = now_.steady + time; now_.steady < end;) step(Weather::Calm);
  };
  leave_one_away(run_for);
  run_for(dead_after_ + 6s);
  std::size_t most = 0;
  std::size_t least = shares_;
  for (const Node& node : nodes_) {
    most = std::max(most, node.works_on.size());
    least = std::min(least, node.works_on.size());
  }
  for (std::uint32_t share = 0; share < shares_; ++share) {
    if (holders_of(share) != 1)
      broken("share " + std::to_string(share) + " has " + std::to_string(holders_of(share)) + " holders");
  }
  if (most > least + 1) broken("one has " + std::to_string(most) + ", another " + std::to_string(least));
  const std::uint64_t leases = tally_.leases;
  run_for(10s);
  if (tally_.leases != leases) broken("shares move although nothing happens");
}

}  // namespace legion::test
