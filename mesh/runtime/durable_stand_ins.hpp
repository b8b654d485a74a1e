// Changes durable subscriptions whose consumers are away. docs/protocol.md, "Membership and control".
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/runtime/durable_host.hpp>
#include <legion/runtime/subscription_change.hpp>

namespace legion {

/// For each change a durable subscription of this node that has the name for as long as it takes: it claims it at every
/// reachable spool (so nobody consumes meanwhile, and a consumer that is there after all makes the change refused),
/// takes the cursor the spools have, writes what is to be changed as a consumer would, into the journal of this node,
/// and gives the name back. It never hands anything over.
///
/// Thread: the loop's. Bounds: `changes_max` at once, each for at most `change_max`, with connections of its own.
/// Errors: NotFound when no spool has a cursor of that name, Refused naming the holder, Unreachable, TimedOut,
/// WouldBlock, and what DurableSubscriptions answers.
class DurableStandIns {
 public:
  static constexpr std::size_t changes_max = 16;
  static constexpr Duration change_max = 30s;
  using Answer = std::function<void(Result<Bytes>)>;
  using Spools = std::vector<std::pair<std::string, std::string>>;

  /// As those of the node's own subscriptions.
  DurableStandIns(DurableHost::Setup setup, DurableConfig config);
  ~DurableStandIns();

  /// `answer` is called once, when the change is durable and the name is free again. `spools`: as DurableHost has them.
  void change(Now now, SubscriptionChange change, const Spools& spools, Answer answer);

  void on_turn(Now now);
  void on_tick(Now now);
  void on_durable(Now now, Position through);

 private:
  class StandIn;
  void clear_up();

  DurableHost::Setup setup_;
  DurableConfig config_;
  std::vector<std::unique_ptr<StandIn>> all_;
};

}  // namespace legion
