// A mesh inside one program, without a network.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <legion/node.hpp>

namespace legion {

class MemoryMesh;

struct InProcessOptions {
  std::vector<TopicRule> topics{};  ///< as NodeOptions::topics
  std::vector<MiddlewareSpec> middleware{};  ///< of every node, each with steps of its own
  std::vector<EventSchema> types{};  ///< as NodeOptions::types
  std::array<std::size_t, 4> queue{8192, 8192, 8192, 8192};  ///< events waiting to be taken, by lane and node
  Duration drain_timeout = std::chrono::seconds(10);  ///< as NodeOptions::drain_timeout
  LogSink log{};                    ///< where lines go; empty: nowhere
};

/// Nodes of one program: the same agents, handlers, tiers, retries and dead letters as on the network, and no ports,
/// state directories or heartbeats. Nothing outlives the process: a
/// confirm means that the event has been handed to the dispatchers of all nodes, and a durable subscription is one that
/// has room for a million events per lane.
///
/// Thread: any. One thread for all nodes takes events from publishers to mailboxes, one runs callbacks; each node has
/// workers of its own. Ownership: the nodes keep what they share; this object may go before them.
class InProcessMesh {
 public:
  explicit InProcessMesh(InProcessOptions options = {});

  /// Events published while a node is not started reach it not. Errors: InvalidArgument (the name, or it is taken; a
  /// declaration among the types; the middleware).
  Result<Node> add_node(std::string name, std::size_t workers = 2);

 private:
  Duration drain_timeout_;
  std::shared_ptr<MemoryMesh> mesh_;  // shared with its nodes
};

}  // namespace legion
