// A subscription of an agent as the node is told of it.
#pragma once

#include <optional>
#include <string>

#include <legion/core/dispatcher_types.hpp>
#include <legion/event/subscription_start.hpp>

namespace legion {

struct DurableOptions {
  std::string name;  ///< unique in the mesh; the spools refuse a second member
  SubscriptionStart start;
};

/// Members of a group share the shards of sharded types. One member a group and node.
struct GroupOptions {
  std::string name;
  std::string home;  ///< a spool
  std::uint32_t shares = 8;
  SubscriptionStart start;
};

struct SubscriptionOptions {
  SubscriptionSpec spec;
  std::optional<DurableOptions> durable{};
  std::optional<GroupOptions> group{};  ///< then not `durable`
  /// It stays with this node, and its place with the spools.
  bool is_remembered() const { return durable || group; }
  /// Of the dispatcher: a group is as many as it has shares, with consecutive numbers.
  std::uint32_t count() const { return group ? group->shares : 1; }
  enum class Replays : bool { No, Yes } replays = Replays::No;  ///< whether it takes events of `~replay.` streams too
};

}  // namespace legion
