// The groups that agents of a node are members of, at work: talks to their homes, gives leases to durable
// subscriptions.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <legion/base/ids.hpp>
#include <legion/base/log.hpp>
#include <legion/core/durable.hpp>
#include <legion/core/group_home.hpp>
#include <legion/core/group_member.hpp>
#include <legion/core/group_presence.hpp>
#include <legion/runtime/durable_host.hpp>

namespace legion {

/// Thread: the loop's. Ownership: outlives the DurableHost it is opened with, whose askers answer as they go.
/// Bounds: one question to the home at a time, of each group, and one to every spool, of all groups.
class GroupHost {
 public:
  /// The shares are the durable subscriptions from `first` on, in the order of their numbers.
  struct Membership {
    GroupMember::Config config;
    SubscriptionId first{};
  };
  /// What these handlers, all of a node, say of groups.
  static std::vector<Membership> memberships(std::span<const DurableHandler> handlers, const Origin& self,
                                             const BootId& boot);

  /// Of the agents that are members.
  struct Agents {
    std::function<AgentState(SubscriptionId)> state;
    Duration grace{};  ///< whoever is down for longer gives its shares back
  };
  /// Once. `durable` calls back from its destructor.
  void open(DurableHost& durable, std::vector<Membership> memberships, Agents agents, LogSink log);
  /// Once it is open, whose subscriptions have been added.
  void add(std::vector<Membership> memberships);
  void on_tick(Now now);
  void on_released(Now now, const ShareReleased& released);
  /// Gives all shares back as they get free, and takes no more.
  void leave(Now now);
  /// No home has to be told anything that matters, or it does not answer.
  bool settled() const;

 private:
  struct One {
    GroupMember member;
    SubscriptionId first{};
    std::string told;  // trouble that was logged
    GroupPresence presence;
  };
  void look_for_rivals(Now now);
  void judge_rivals(Now now);
  void look_at_agent(Now now, One& one);
  void carry_out(Now now, One& one);
  void send(Now now, One& one, const GroupRenewal& renewal);
  void on_answer(One& one, std::uint64_t round, const Result<GroupAnswer>& answer);
  void tell_of_trouble(One& one);

  DurableHost* durable_ = nullptr;
  std::deque<One> all_;  // deque: questions under way refer to them
  Agents agents_;
  LogSink log_;

  // Whether other spools are homes of the same groups is asked before the first renewal, and again and again.
  enum class Look : std::uint8_t { Never, UnderWay, Done } look_ = Look::Never;
  bool has_looked_ = false;
  std::size_t unanswered_ = 0;
  SteadyTime look_due_{};
  std::map<std::string, std::vector<GroupHome::View>> told_by_;  // by spool, in this look
};

}  // namespace legion
