// A node of the mesh inside a program.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/agent.hpp>
#include <legion/base/log.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/schema.hpp>
#include <legion/middleware.hpp>
#include <legion/publisher.hpp>
#include <legion/statistics.hpp>

namespace legion {

struct NodeOptions {
  std::string name{};  ///< 1 to 64 of a-z, 0-9 and -; unique in the mesh
  /// "tcp://HOST:PORT", the first of a run of six ports; port 0 takes a free run. Whoever reaches the ports can read
  /// and publish everything: anything but loopback is for networks that keep strangers out.
  std::string listen = "tcp://127.0.0.1:0";
  std::string advertise{};           ///< what others connect to, where that differs
  std::vector<std::string> join{};   ///< members to find the mesh by: "tcp://HOST:PORT"
  /// What the node remembers from life to life (its last number, the roster, what was in hands); one node a directory.
  /// At most 80 bytes.
  std::filesystem::path state_dir{};
  std::vector<TopicRule> topics{};  ///< as [[topic]] in TOML; the same on all nodes of a mesh
  std::vector<MiddlewareSpec> middleware{};  ///< as [[middleware]] in TOML, and steps of the program's own
  /// Declarations of your own event types, `{schema_of<Fill>(), ..}`: with them TopicRule::schema and unknown_version
  /// hold for these types as for the built-in ones. A declaration of a built-in type takes its place.
  std::vector<EventSchema> types{};
  /// No: this mesh has no spool. Nothing is kept for one, and confirmed types count as captured.
  enum class Spools : std::uint8_t { Expected, None } spools = Spools::Expected;
  Duration heartbeat_interval = std::chrono::seconds(1);
  Duration suspect_after = std::chrono::seconds(3);
  Duration dead_after = std::chrono::seconds(10);
  Duration drain_timeout = std::chrono::seconds(10);  ///< how long stop() lets handlers finish
  std::size_t workers = 2;  ///< threads that run handlers
  std::array<std::size_t, 4> queue{8192, 8192, 8192, 8192};  ///< events waiting to be sent, by lane
  std::uint64_t confirmed_journal_bytes = 64ull << 20;
  std::uint64_t captured_journal_bytes = 64ull << 20;
  LogSink log{};  ///< where lines go; empty: nowhere
};

/// How a node ended by itself: its name is in use (69), it was fenced (70).
struct NodeEnd {
  int exit_code = 0;
  std::string message{};
};

class Backend;

/// A member of a mesh that hosts agents made of functions. Add agents, handlers; start(); publish; stop().
///
/// Thread: create(), start(), stop(), on(), remove(), remove_agent(), moving and the destructor from one thread, which
/// is none of its own (no handler, no callback); everything else, and all of EmbeddedAgent, from any. Runs a loop,
/// `workers` threads for handlers, one for callbacks and a few that mostly sleep. Signals are the program's business.
class Node {
 public:
  /// A node on the network. Opens the state directory and binds its ports. Errors: InvalidArgument naming the option,
  /// AddressInUse, Io, Refused (the state directory is in use), Unreachable (a name does not resolve).
  static Result<Node> create(NodeOptions options);

  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;
  ~Node();  ///< stop()

  /// An agent of this name (1 to 64 of a-z, 0-9 and -), to begin with or one more. One that comes after start() is
  /// known to the node, and shown, from its first handler on. Errors: InvalidArgument (the name, or it is taken), Closed.
  Result<EmbeddedAgent> add_agent(std::string_view name, AgentOptions options = {});
  /// The agent with all its handlers, which are destroyed; what waits for it is lost, and counted so. Another may take
  /// its name. Errors: NotFound; Refused after start(), when it has or had a gate or a durable subscription.
  Result<void> remove_agent(std::string_view name);

  /// Handlers that need no agent of their own: they belong to one named "main", which the first of them adds.
  Result<HandlerId> on(std::string_view filter, Handler handler, HandlerOptions options = {});
  template <TypedEvent T, class F>
    requires HandlerFunction<F, T>
  Result<HandlerId> on(F function, HandlerOptions options = {}) {
    return on(T::schema.type, Handler::typed<T>(std::move(function)), std::move(options));
  }
  Result<void> remove(HandlerId handler);

  /// The source of its events is `node/name`. May be used before start(); what it publishes then is sent afterwards.
  Publisher publisher(std::string_view name = "main") const;

  /// Begins: joins the mesh and hands over events. Errors: as EmbeddedAgent::on() for what shows only now; Refused when
  /// it was started before.
  Result<void> start();
  /// Everything may be published: every live member has been found, or given up on. Before that it is queued.
  bool is_open() const;
  /// Lets handlers finish (at most drain_timeout), says goodbye, ends all threads and destroys the handlers. True when
  /// everything held was handled. Idempotent. Inside a handler of this node it would wait for itself: there it does
  /// nothing, says so in the log and returns false.
  bool stop();

  /// Becomes readable when the node ends by itself; then ended() says why, and stop() is due. -1: a node that never
  /// does.
  int ended_fd() const;
  std::optional<NodeEnd> ended() const;

  /// "tcp://HOST:PORT": what others join. Empty without a network.
  std::string address() const;
  const std::string& name() const;
  Statistics statistics() const;

  explicit Node(std::unique_ptr<Backend> backend);

 private:
  std::unique_ptr<Backend> backend_;
  std::optional<EmbeddedAgent> main_;
};

}  // namespace legion
