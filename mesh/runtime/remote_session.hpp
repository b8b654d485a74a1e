// The conversation with one client that serves a remote agent. docs/protocol.md, "Remote agents".
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/log_limiter.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/dispatch_pool.hpp>
#include <legion/runtime/remote_run.hpp>
#include <legion/transport/control_server.hpp>

namespace legion {

/// What a client and the node agreed on when it attached.
struct RemoteTerms {
  std::uint32_t credit = 256;      ///< deliveries without an answer at the client, at most; 0: none for now
  Duration lease = 10s;            ///< a client that is silent for so long is away
  Duration handler_timeout = 30s;  ///< an event not answered by then is a failed attempt; 0: no limit
};

/// Thread: the loop's. Order: runs of one stream follow each other; of a run a further part is sent once all that was
/// sent of it is answered. Bounds: `credit` deliveries and 256 KiB (or one event) a message towards the client, 4096
/// deferred ones open; beyond that the oldest fails. Errors: what a client says wrong costs that message, counted in
/// `invalid_messages` of the agent, logged ten times a second at most.
class RemoteSession {
 public:
  using Send = std::function<transport::SendResult(BytesView)>;
  /// Of one subscription; of a group there are as many as it has shares.
  struct Numbers {
    SubscriptionId first{};
    std::uint32_t count = 1;
    bool contains(SubscriptionId id) const { return id.value - first.value < count; }
  };
  struct Setup {
    std::uint64_t number;  ///< tells its messages from those of another one
    transport::ControlPeer peer;
    AgentId agent;
    std::vector<Numbers> subscriptions;  ///< of the agent: clients are told the place in here
    RemoteTerms terms;
    AgentServices& services;
    DispatchPool& pool;
    Send send;
  };
  RemoteSession(Setup setup, SteadyTime now);

  std::uint64_t number() const { return setup_.number; }
  const transport::ControlPeer& peer() const { return setup_.peer; }
  const RemoteTerms& terms() const { return setup_.terms; }
  SteadyTime last_heard() const { return last_heard_; }
  void heard(SteadyTime now) { last_heard_ = now; }
  /// Why it cannot go on: the client does not take what it is sent, or is silent. Empty: it can.
  const std::string& lost() const { return lost_; }

  /// What the dispatcher hands over. Sent by pump().
  void take(SteadyTime now, RemoteRun run);
  /// `agent.ack`, `agent.nack` and so on; `params` is everything behind the session's number. Nothing else is told of.
  void on_answer(SteadyTime now, std::string_view method, BytesView params);
  void set_credit(std::uint32_t credit) { setup_.terms.credit = credit; }
  /// Sends what may be sent.
  void pump(SteadyTime now);
  void on_tick(SteadyTime now);
  /// Whether the connection still exists.
  bool probe();
  enum class Blame : std::uint8_t {
    InHands,  ///< what the client has in hands failed
    Nobody,  ///< it has stopped handling before it said so
  };
  /// The agent is down. What is not blamed comes again untouched.
  void end(std::string_view error, Blame blame);

 private:
  struct Open {
    RemoteRun run;
    std::vector<Answered> answered{};  // of run.events, in order
    std::uint32_t sent = 0;  // of run.events
    std::uint64_t slice_number = 0;  // delivery number of the first event of what was sent last ..
    std::uint32_t slice_first = 0;  // .. and its place in run.events
    std::vector<std::optional<Outcome>> outcomes{};  // of that part
    SteadyTime slice_sent{};
    SteadyTime first_answer{};  // of that part
    std::uint32_t paced = 0;  // answers that came after that
    SteadyTime last_progress{};  // sent, or answered since
    std::uint32_t outstanding() const { return sent - static_cast<std::uint32_t>(answered.size()); }
  };
  using OpenPtr = std::unique_ptr<Open>;
  using OpenMap = std::map<std::uint64_t, OpenPtr>;  // by slice_number

  void settle(SteadyTime now, std::uint64_t first, std::uint64_t last, const Outcome& outcome);
  std::vector<std::uint64_t> open_between(std::uint64_t first, std::uint64_t last) const;
  bool settle_one(SteadyTime now, std::uint64_t delivery, const Outcome& outcome);
  OpenMap::iterator find(std::uint64_t delivery);
  void advance(SteadyTime now, OpenMap::iterator entry);
  void end_slice(SteadyTime now, OpenMap::iterator entry);
  void adapt_window(SteadyTime now, const Open& open);
  void finish(OpenMap::iterator entry, Outcome last);
  void keep_deferred(std::uint64_t delivery, TaskId task);
  DispatchPool::RunReport report_of(Open& open, Outcome last) const;
  DispatchPool::RunReport untouched_rest(Open& open) const;
  std::uint32_t slice_size(const Open& open, std::size_t bytes_left) const;
  void write_slice(SteadyTime now, Open& open, std::uint32_t count, MsgpackWriter& out);
  void tell(std::string_view method, BytesView params);
  void send(BytesView message);
  void report_invalid(SteadyTime now, std::string_view what);
  void time_out(SteadyTime now);

  Setup setup_;
  std::deque<OpenPtr> waiting_;  // nothing of them is at the client
  OpenMap open_;
  std::map<std::uint64_t, TaskId> deferred_;  // by delivery number
  std::uint64_t last_delivery_ = 0;
  std::uint32_t outstanding_ = 0;
  std::uint32_t window_ = 1;  // events of a run sent at once: as many as take a few milliseconds
  SteadyTime last_heard_;
  std::string lost_;
  LogLimiter reported_{10, 1s};
};

}  // namespace legion
