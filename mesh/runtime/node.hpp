// A node of the mesh: what a program starts to host agents.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/address.hpp>
#include <legion/base/log.hpp>
#include <legion/core/membership.hpp>
#include <legion/event/policy.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/spool_options.hpp>
#include <legion/runtime/subscription_options.hpp>

namespace legion {

struct NodeOptions {
  std::string name;
  std::string version;
  Address listen;                     ///< port 0: a free run of ports below 32768
  std::optional<Address> advertise;   ///< what peers dial; port 0: the port listened on
  MembershipConfig membership;
  std::vector<std::string> roles;
  std::filesystem::path state_dir;
  Duration drain_timeout = 10s;
  bool local = true;                  ///< the ipc pair for programs of this host
  bool log_events = false;            ///< a line for every event published here or delivered
  PolicyTable policy;
  std::size_t workers = 2;
  std::array<std::size_t, limits::lane_count> queue_capacity{8192, 8192, 8192, 8192};
  JournalOptions journal;
  std::optional<SpoolOptions> spool;  ///< its presence makes the node a spool
};

/// How a node ended.
struct NodeExit {
  int code = 0;         ///< 0 drained, 69 the name is in use, 70 fenced or a defect
  std::string message;  ///< empty when there is nothing to add
};

/// Thread: create(), add_agent(), start() and shutdown() from one thread. Runs a loop thread, `workers` dispatch
/// workers, a callback thread, a resolver, the ZAP handler and what the agents bring.
class Node {
 public:
  /// Opens the state directory and binds every port. Errors: AddressInUse, Io (state directory), Refused (state directory
  /// in use), Unreachable (the listen name does not resolve), InvalidArgument.
  static Result<std::unique_ptr<Node>> create(NodeOptions options, LogSink log);
  ~Node();

  /// Before start(). `kind` is shown in stats ("exec", "feed").
  void add_agent(AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent,
                 std::vector<SubscriptionOptions> subscriptions);

  void start();
  /// Becomes readable once the node wants to end by itself (fenced, name in use); then exit() says why.
  int exit_fd() const;
  std::optional<NodeExit> exit() const;

  /// Drains (at most drain_timeout), says goodbye, stops everything. Returns true when everything held was handled.
  bool shutdown();

  const Endpoints& endpoints() const;  ///< as advertised

 private:
  struct State;
  static Result<void> track_in_flight(State& state);
  explicit Node(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace legion
