// The agents of a node that run in other processes: who serves them, and whether it still does. docs/protocol.md,
// "Remote agents".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/runtime/remote_agent.hpp>
#include <legion/runtime/remote_methods.hpp>
#include <legion/runtime/remote_session.hpp>

namespace legion {

/// What the configuration says of a remote agent.
struct RemoteOptions {
  RemoteTerms terms{};  ///< a client may ask for less, never for more
};

/// Adds and removes agents of this node while it runs; all on the loop's thread. Errors of both: WouldBlock, Closed,
/// NameTaken (of a durable subscription).
struct RemoteGrowth {
  std::function<Result<AgentId>(AgentSpec, std::unique_ptr<Agent>)> add;  ///< starts it
  std::function<Result<SubscriptionId>(AgentId, SubscriptionOptions)> subscribe;
  std::function<void(SubscriptionId)> unsubscribe;
  std::function<void(SubscriptionId)> subscribe_again;  ///< one that was unsubscribed
};

/// Thread: the loop's, but for make_agent() before it runs and for what its agents do. Ownership: the agents it makes
/// belong to whoever asked for them; the pool outlives it.
/// Errors: a second client of a name whose first one still lives is refused; a client that is silent, gone or does not
/// read is down for the dispatcher, and nobody waits for it.
class RemoteHub {
 public:
  using Answer = std::function<void(Result<Bytes>)>;
  using Peer = transport::ControlPeer;
  using SendTo = std::function<transport::SendResult(const Peer&, BytesView)>;

  RemoteHub(std::string node, DispatchPool& pool, std::uint64_t seed, std::function<void()> wake);

  /// An agent that its clients find under this name. `spec` is that of the dispatcher: with a concurrency of 1 it gets
  /// runs, whatever it says. announce() has to follow.
  std::unique_ptr<RemoteAgent> make_agent(AgentSpec& spec, RemoteOptions options,
                                          const std::vector<SubscriptionOptions>& subscriptions);
  /// What numbers the agent made last and its subscriptions have, of a group the first.
  void announce(AgentId id, std::vector<SubscriptionId> subscriptions);

  /// Agents that no configuration declares come with their first client, and go when it detaches or has been away for
  /// `undeclared_away_max`. `defaults`: mailbox and retries of these. Before the first turn.
  void grow_by(RemoteGrowth growth, AgentSpec defaults);
  static constexpr Duration undeclared_away_max = 5min;
  static constexpr std::size_t undeclared_max = 256;

  /// How clients are reached; before the first turn.
  void send_by(SendTo send) { send_ = std::move(send); }
  void on_turn(Now now);

  /// `agent.attach`, `agent.detach`, `agent.beat`.
  void on_request(Now now, const Peer& peer, std::string_view method, BytesView params, const Answer& answer);
  void on_notification(Now now, const Peer& peer, std::string_view method, BytesView params);
  /// Anything at all came from this peer.
  void heard(Now now, const Peer& peer);
  /// The name of the agent that this peer serves; null: none.
  const std::string* agent_of(const Peer& peer) const;

 private:
  struct Served {
    RemoteInbox::AgentIndex index = 0;
    std::string name;
    RemoteAgent* agent = nullptr;
    AgentId id{};
    std::uint32_t concurrency = 1;
    RemoteOptions options{};
    std::vector<SubscriptionOptions> subscriptions{};  // those in force
    std::vector<SubscriptionId> numbers{};  // of these
    enum class Declared : std::uint8_t { Yes, No } declared = Declared::Yes;
    std::vector<std::pair<SubscriptionOptions, SubscriptionId>> ended{};  // of one that is not declared
    std::optional<SteadyTime> away_since{};  // of one that is not declared, with subscriptions
    std::unique_ptr<RemoteSession> session{};
    enum class Stage : std::uint8_t { New, Started, Stopped } stage = Stage::New;
  };

  Result<Bytes> attach(Now now, const Peer& peer, BytesView params);
  Result<Served*> find_or_add(const RemoteAttach& attach);
  Result<Served*> add_undeclared(const RemoteAttach& attach);
  static std::vector<RemoteSession::Numbers> ranges_of(const Served& served);
  Result<void> change_subscriptions(Served& served, const std::vector<SubscriptionOptions>& wanted);
  Result<void> begin_subscription(Served& served, const SubscriptionOptions& wanted);
  void end_subscriptions(Served& served, const std::vector<SubscriptionOptions>& wanted);
  void remove_undeclared(Served& served);
  std::size_t undeclared() const;
  Result<void> check_agrees(const Served& served, const RemoteAttach& attach) const;
  Result<void> make_room(Now now, Served& served, const Peer& peer);
  Bytes attached(const Served& served) const;
  Result<Bytes> detach(BytesView params);
  Result<Bytes> beat(BytesView params);
  void end_session(Served& served, std::string_view error, RemoteSession::Blame blame);
  void stop(Served& served);
  Served* by_session(std::uint64_t number);
  void tell_closed(const Peer& peer, std::uint64_t session, std::string_view code, std::string_view text);
  void take_inbox(Now now);

  const std::string node_;
  DispatchPool& pool_;
  RemoteGrowth growth_{};
  AgentSpec defaults_{};
  Rng rng_;
  RemoteInbox inbox_;
  SendTo send_;
  std::vector<std::unique_ptr<Served>> agents_;  // by RemoteInbox::AgentIndex
  std::map<Peer, Served*> by_peer_;
  SteadyTime next_tick_{};
};

}  // namespace legion
