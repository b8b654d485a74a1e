// The loop of a node: one thread that owns every mesh socket and the protocol core, and routes between them.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <legion/base/log_limiter.hpp>
#include <legion/core/last_words.hpp>
#include <legion/core/ledger.hpp>
#include <legion/core/membership.hpp>
#include <legion/event/frame_pool.hpp>
#include <legion/runtime/control_caller.hpp>
#include <legion/runtime/control_service.hpp>
#include <legion/runtime/durable_control.hpp>
#include <legion/runtime/durable_host.hpp>
#include <legion/runtime/durable_stand_ins.hpp>
#include <legion/runtime/group_host.hpp>
#include <legion/runtime/hosted_agent.hpp>
#include <legion/runtime/inbound.hpp>
#include <legion/runtime/journal_pump.hpp>
#include <legion/runtime/latch.hpp>
#include <legion/runtime/local_bus.hpp>
#include <legion/runtime/local_replay.hpp>
#include <legion/runtime/mesh_reader.hpp>
#include <legion/runtime/node_host.hpp>
#include <legion/runtime/node_sockets.hpp>
#include <legion/runtime/outbound.hpp>
#include <legion/runtime/refused_peers.hpp>
#include <legion/runtime/remote_hub.hpp>
#include <legion/runtime/replay_control.hpp>
#include <legion/runtime/spool_catchup.hpp>
#include <legion/runtime/spool_service.hpp>
#include <legion/runtime/state_dir.hpp>

namespace legion {

/// Thread: start() and the end from the owner; everything private runs on the loop's thread.
/// Ordering: a turn looks at critical input first and again after every eight lower messages; the effects of an input
/// to the membership are carried out before the next input.
/// Bounds: every queue it reads is read a bounded number of messages per turn; a turn comes at least every 50 ms.
class NodeLoop {
 public:
  struct Setup {
    const NodeHostOptions& options;
    NodeSockets& sockets;
    StateDir& state_dir;
    Intake& intake;
    DispatchPool& pool;
    Executor& executor;
    NodeStatus& status;
    transport::WakeFd& wake;
    RemoteHub& remote;
    SpoolService* spool;  ///< null unless this node is a spool
    const LogSink& log;
    BootId boot;
    std::uint64_t seed;
    Incarnation kept_incarnation;
    std::vector<Member> kept_roster;
    std::vector<std::unique_ptr<HostedAgent>>& agents;
    std::vector<SubscriptionSnapshot>& subscriptions;  ///< by SubscriptionId; books are filled in at each snapshot
    std::vector<Filter>& filters;                      ///< by SubscriptionId
    std::vector<std::optional<Filter>>& replays;       ///< by SubscriptionId: what it takes of replays
    std::vector<DurableHandler>& handlers;             ///< by SubscriptionId
    std::optional<std::vector<InFlightEntry>>& in_flight;  ///< what the life before this one left; null: not known
    std::function<void(NodeExit)> on_exit;             ///< fenced or name in use
  };

  explicit NodeLoop(Setup setup);
  ~NodeLoop();

  void start();
  /// Stops asking peers for what the agents subscribed to and waits until nothing is queued, unread or held any more,
  /// the consequences of what was held included. False when `limit` passed first.
  bool quiesce(Duration limit);
  /// Sends what is queued, the markers and the goodbye; returns when that is done or `limit` has passed.
  void leave(Duration limit);
  /// Ends the thread. Idempotent.
  void stop();

  // --- agents that come and go, on the loop's thread ------------------------------------------------------------------
  /// Agents and subscriptions may be added: not while it stops. Errors: Closed.
  Result<void> is_open_to_agents() const;
  /// The same for those who have nothing to wait for: not before the node has its streams. Errors: WouldBlock, Closed.
  Result<void> takes_agents() const;
  /// What was added to the lists of Setup from here on begins: now, or with the node's streams.
  void begin_subscriptions(std::size_t first);
  /// Not of durable ones; what is held for it is the dispatcher's affair. Idempotent.
  void end_subscription(SubscriptionId subscription);
  /// One that was ended and is no gate.
  void begin_again(SubscriptionId subscription);
  /// From any other thread: `task` has run, or the loop has ended and it never will. From then on is_open_to_agents()
  /// says no with `Last::Yes`.
  enum class Last : std::uint8_t { No, Yes };
  void run_on_loop(std::function<void()> task, Last last);

  /// On the loop's thread: this life of a node is over, as far as is known here.
  bool is_gone(const Origin& origin) const;
  /// On the loop's thread: what DurableControl knows.
  void ask_durable(Now now, std::string_view method, BytesView params, ControlBackend::Answer answer);

 private:
  /// What exists once the incarnation is chosen.
  struct Streams {
    Ledger ledger;
    std::unique_ptr<MeshReader> reader;
    Inbound inbound;
    JournalPump journal;
    Outbound outbound;
    GroupHost groups;  // before `durable`, as it says
    DurableHost durable;
    DurableStandIns stand_ins;
    LocalReplay replay;
    std::pair<std::uint64_t, std::size_t> told_roster{};  ///< hash and size of the one whose spools were told
    Streams(NodeLoop& loop, Origin origin);
  };

  void run();
  void turn();
  void wait();
  std::optional<SteadyTime> next_flush(Now now) const;
  void read_lanes(Now now);
  void read_round(Now now);
  void read_upstream(Now now);
  void on_sync_request(Now now, std::string_view topic, Priority lane);
  void answer_sync(Now now, const SyncTopic& topic, Priority lane);
  void drain_bind_monitors();
  void report_letters();
  void check_quiet(bool offered_something);
  void run_tasks();
  void post(std::function<void()> task);

  void tick_membership(Now now);
  void tick_leaving(Now now);
  void carry_out(Now now);
  void connect_spool(const Member& member);
  void connect_spool(const std::string& name, const std::string& uri);
  SpoolCatchup::Setup catchup_setup();
  void open_durable(Now now);
  void watch_durable();
  void route(std::size_t subscription);
  void tell_of_marks();
  void tell_of_spools();
  void report_letter(const DeadLetter& letter);
  bool durable_settled(Now now);
  void pump_journal(Now now);
  bool is_degraded() const;
  void tell_of_spools(NodeSnapshot& snapshot) const;
  /// By subscription: what is known of it apart from the dispatcher's part.
  std::vector<Books> books_before_dispatch() const;
  bool journal_settled() const;
  void close_journal(Now now);
  void on_own_frame(Now now, UnnumberedFrame& frame);
  void on_new_events(Now now, const FramePtr& frame, std::uint32_t first);
  void hear(Now now);
  void log_events(std::string_view what, const FramePtr& frame, std::uint32_t first) const;
  void open_streams(Now now, Incarnation incarnation);
  void connect(Now now, const Member& peer);
  void disconnect(const std::string& name);
  void disconnect_spool(const std::string& name);
  void retry_unresolved(Now now);
  void forget_strangers();
  void on_member_changed(Now now, const effect::MemberChanged& change);
  void collect_tails(Now now, const std::string& address, std::vector<Origin> origins);
  void send_hello(Now now, const effect::SendHello& effect);
  void fetch_roster(const std::string& address);
  void send_goodbyes(Now now, const std::vector<std::string>& addresses);
  void publish_heartbeat(Now now, bool leaving);
  void publish_own(Now now, std::string_view type, Bytes data);
  void end_with(NodeExit exit);

  NodeSnapshot snapshot(Now now) const;
  std::vector<NodeRow> node_rows(Now now) const;
  ControlBackend backend();

  Setup setup_;
  const std::string policy_hash_;  // for heartbeats
  Membership membership_;
  ControlCaller caller_;
  ControlService service_;
  std::optional<LocalBus> local_;
  std::unique_ptr<Streams> streams_;
  std::optional<SpoolCatchup> catchup_;  // of a spool
  FramePool frames_;  // memory of own frames that are delivered here
  transport::Poller& poller_;
  std::size_t wake_token_;

  std::vector<Member> waiting_peers_;  // to connect once there are streams
  std::vector<SubscriptionId> ended_early_;  // before there were streams
  std::vector<std::pair<SyncTopic, Priority>> waiting_syncs_;  // to answer once there are streams
  std::map<std::string, std::uint8_t> synced_lanes_;  // receiver -> bit per lane answered
  struct Heard {
    Heartbeat heartbeat;
    Duration skew;
  };
  std::vector<Heard> heartbeats_;  // of this turn, to be heard
  std::map<std::string, Heard> heard_;  // the last one of each node
  std::map<std::string, Incarnation> incarnations_;
  LastWords last_words_;
  struct Unresolved {
    SteadyTime due;
    Duration pause{};
  };
  std::set<std::string> unknown_names_;  // addresses whose host is reported as unknown
  std::map<std::string, Unresolved> unresolved_;  // names of peers whose address could not be looked up
  NamedCounts refused_;
  RefusedPeers refused_at_control_;
  std::array<RefusedPeers, limits::lane_count> refused_at_lane_;
  NamedCounts dead_letters_;
  LogLimiter letters_logged_{20, 1s};  // dead letters a second that get a line and an event of their own
  Now now_;
  SteadyTime next_tick_;
  SteadyTime started_at_;
  std::optional<SteadyTime> last_heartbeat_;
  bool listening_ = true;
  bool closed_to_agents_ = false;
  bool fenced_ = false;

  struct Leaving {
    SteadyTime deadline;
    bool said = false;
    bool cursors_written = false;
    bool closed = false;  // the spools were told the final positions
  };
  std::optional<Leaving> leaving_;

  std::mutex tasks_mutex_;
  std::vector<std::function<void()>> tasks_;
  std::atomic<bool> stopping_{false};
  std::size_t goodbyes_under_way_ = 0;
  Latch left_;
  Latch quiet_;
  bool quiesce_ = false;
  std::thread thread_;
};

}  // namespace legion
