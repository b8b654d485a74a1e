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
#include <legion/core/middleware_spec.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/schema.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/hosted_agent.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/remote_hub.hpp>
#include <legion/runtime/spool_options.hpp>
#include <legion/runtime/subscription_options.hpp>

namespace legion {

struct NodeHostOptions {
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
  SchemaTable schemas = SchemaTable::built_in();
  std::size_t workers = 2;
  std::array<std::size_t, limits::lane_count> queue_capacity{8192, 8192, 8192, 8192};
  std::vector<MiddlewareSpec> middleware;  ///< in their order
  JournalOptions journal;
  AgentSpec remote_defaults;          ///< mailbox and retries of agents that attach without being declared
  std::optional<SpoolOptions> spool;  ///< its presence makes the node a spool
};

/// How a node ended.
struct NodeExit {
  int code = 0;         ///< 0 drained, 69 the name is in use, 70 fenced or a defect
  std::string message;  ///< empty when there is nothing to add
};

/// Thread: create(), add_agent(), start() and shutdown() from one thread. Runs a loop thread, `workers` dispatch
/// workers, a callback thread, a resolver, the ZAP handler and what the agents bring.
class NodeHost {
 public:
  /// Opens the state directory and binds every port. Errors: AddressInUse, Io (state directory), Refused (state directory
  /// in use), Unreachable (the listen name does not resolve), InvalidArgument.
  static Result<std::unique_ptr<NodeHost>> create(NodeHostOptions options, LogSink log);
  ~NodeHost();

  /// Before start(). `kind` is shown in stats ("exec", "feed"). Returns the first of the subscriptions' numbers, which
  /// follow each other.
  SubscriptionId add_agent(AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent,
                 std::vector<SubscriptionOptions> subscriptions);

  /// Before start(). An agent outside the process, which its clients find under spec.name.
  void add_remote_agent(AgentSpec spec, RemoteOptions remote, std::vector<SubscriptionOptions> subscriptions);

  /// Told the number of the first of the subscriptions that were added, which follow each other, before an event is
  /// handed over; after start() on the loop's thread.
  using Numbered = std::function<void(SubscriptionId first)>;

  /// The same at any time: before start() from the owner, then from any thread but the loop's; not at the same time as
  /// start(). Returns once its subscriptions are on their way to all peers, or begin with the node's streams where it
  /// has none yet. After start() neither gates (an event that is under way would not be offered to them) nor durable
  /// subscriptions (it would not be known after a crash what was in hands). Errors: NameTaken (by another agent),
  /// Refused (there were subscriptions_max), Closed.
  Result<AgentId> add_agent_now(AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent,
                                std::vector<SubscriptionOptions> subscriptions, const Numbered& numbered = {});
  /// One more subscription of an agent. Thread, errors and what is not possible: as add_agent_now().
  Result<void> add_subscription_now(AgentId agent, SubscriptionOptions subscription, const Numbered& numbered);
  /// Nothing that arrives from now on goes to it, and peers are asked for it no more; what the agent holds of it is still
  /// handed over. Not of durable ones. Its figures stay. Before start(): does nothing. Thread: as add_agent_now().
  void end_subscription_now(SubscriptionId subscription);
  /// Of an agent without gates and durable subscriptions: nothing is handed to it any more, what it holds is
  /// lost(shutdown), it is stopped and shown no more; the figures of its subscriptions stay. Before start(): does
  /// nothing. Thread: as add_agent_now().
  void remove_agent(AgentId agent);
  static constexpr std::size_t subscriptions_max = 16384;  ///< that come at any time; numbers are not used again

  void start();
  /// Becomes readable once the node wants to end by itself (fenced, name in use); then exit() says why.
  int exit_fd() const;
  std::optional<NodeExit> exit() const;

  /// Drains (at most drain_timeout), says goodbye, stops everything. Returns true when everything held was handled.
  bool shutdown();

  const Endpoints& endpoints() const;  ///< as advertised

  /// What programs publish through, from any thread. Shared with them, because they may still call it while the node
  /// goes away and afterwards: it then answers Closed and needs nothing else of the node.
  const std::shared_ptr<Intake>& intake() const;
  DispatcherStats dispatch_stats() const;
  const NodeStatus& status() const;

 private:
  struct State;
  static Result<void> track_in_flight(State& state);
  static AgentId register_agent(State& state, AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent);
  static std::vector<SubscriptionId> register_subscriptions(State& state, AgentId id,
                                                            std::vector<SubscriptionOptions> subscriptions);
  static RemoteGrowth remote_growth(State& state);
  static Result<void> change_agents(State& state, const std::function<Result<void>()>& task);
  static Result<void> check_room(const State& state, std::size_t more);
  static Result<void> check_name(const State& state, const std::string& name);
  static void begin_subscriptions(State& state, AgentId agent, std::vector<SubscriptionOptions> wanted,
                                  const Numbered& numbered);
  explicit NodeHost(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace legion
