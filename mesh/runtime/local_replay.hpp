// Replays to one agent of this node: nobody else in the mesh gets them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <legion/core/durable_types.hpp>
#include <legion/core/ledger.hpp>
#include <legion/event/policy.hpp>
#include <legion/runtime/inbound.hpp>

namespace legion {

/// The events are `~replay_to.` streams of this node that are never sent: they go through the ledger, which numbers their
/// streams, and then to the subscriptions of one agent that match the original type, gates first.
///
/// Thread: the loop's. Bounds: a replay takes at most half of a mailbox, so that what happens meanwhile has its place.
class LocalReplay {
 public:
  /// All outlive it. `handlers`: every subscription of this node.
  LocalReplay(Origin origin, Ledger& ledger, Inbound& inbound, DispatchPool& pool, const PolicyTable& policy,
              const std::vector<DurableHandler>& handlers);

  /// `agent`: node/agent. Whether this node has it, with a subscription.
  bool has_subscriber(std::string_view agent) const;

  struct Answer {
    PublishResult result;
    std::string id;  ///< when it was taken
  };
  /// `event` with its original type, a source and a time.
  Answer offer(Now now, std::string_view agent, Event event, Priority lane);

 private:
  std::vector<SubscriptionId> takers(std::string_view agent, std::string_view type) const;
  bool has_room(std::string_view type, Priority lane, const std::vector<SubscriptionId>& to) const;

  Origin origin_;
  Ledger& ledger_;
  Inbound& inbound_;
  DispatchPool& pool_;
  const PolicyTable& policy_;
  const std::vector<DurableHandler>& handlers_;
  std::array<std::map<std::string, std::uint64_t, std::less<>>, limits::lane_count> next_;  // sequence, by type
  bool is_known_to_ledger_ = false;
};

}  // namespace legion
