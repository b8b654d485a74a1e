// The priority dispatcher: takes the events of this node to its handlers. docs/architecture.md, "Dispatcher".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/core/books.hpp>
#include <legion/core/dispatcher_stats.hpp>
#include <legion/core/dispatcher_types.hpp>

namespace legion {

/// Holds the mailboxes, decides what is handed over next and keeps the books. It works on runs of consecutive events of
/// one frame and takes a run apart only where one of its events has a fate of its own.
///
/// Thread: none of its own and no lock; the owner serialises every call. `now` must not go back on the steady clock.
/// Order: FIFO per stream and agent when its concurrency is 1, else FIFO per (stream, key); keyless unordered.
/// Gates: no lower tier sees an event before every matching gate (tier Critical) answered done for it.
/// Priority: highest lane first; of 64 consecutive events handed over at least one is from each lane that has runnable
///   work throughout.
/// Bounds: per agent and lane at most capacity deliveries plus those that came back from in flight (concurrency, or one
///   run), durable ones not counted, which the caller bounds; deliveries waiting for an earlier tier are bounded by the
///   mailboxes of that tier. drain_letters() and drain_durable() are to be called after every batch of calls.
class Dispatcher {
 public:
  /// `seed` feeds the retry jitter.
  explicit Dispatcher(std::uint64_t seed);
  ~Dispatcher();
  Dispatcher(Dispatcher&&) noexcept;
  Dispatcher& operator=(Dispatcher&&) noexcept;

  /// Agents and subscriptions may be added at any time.
  AgentId add_agent(AgentSpec spec);
  SubscriptionId add_subscription(AgentId agent, SubscriptionSpec spec);

  /// Offers events first .. first + count - 1 of `frame` to all local subscriptions that match them (`routes`, each
  /// subscription at most once, any order). Events of one stream are to be offered in sequence order. `stream` may be
  /// no_stream where the routes are one durable delivery and gates: these then go by its stream.
  void on_run(Now now, const FramePtr& frame, std::uint32_t first, std::uint32_t count, StreamKey stream,
              std::span<const Route> routes);
  /// One event to one durable delivery (and gates), which was handed over before: its attempts go on from there.
  void on_again(Now now, const FramePtr& frame, std::uint32_t event, std::span<const Route> routes,
                const Earlier& earlier);
  /// Whether on_run() with these routes, or next() after it, looks at the events themselves: several tiers, two handlers
  /// of one agent, or an agent that gets no runs. The owner then decodes them before it takes its lock.
  bool needs_events(std::span<const Route> routes) const;

  /// Hands over the next run, or nothing when no agent that is up has both a free slot and runnable work. A run of more
  /// than one event goes only to an agent that gets runs (run_events_max > 1, concurrency 1, no handler_timeout), and
  /// such an agent gets events, also single ones, that nobody has looked at: whoever handles them asks
  /// fate_before_handling() first. Others get one event at a time, never an expired or undecodable one.
  std::optional<Task> next(Now now);

  /// The report of a run: answered[k] is of event k. All but the last are Done, Stop, Expired or Undecodable; the last
  /// may be anything, and `last` has its error text. Whoever handles a run stops after any other answer, or
  /// when something more urgent waits, but not before the first event: those behind answered.size() were not given to
  /// the handler and come back first and untouched. Every task of an agent that gets runs is to be reported exactly
  /// once. The report of a task that is over is ignored and counted (stats().stale_outcomes).
  void on_answers(Now now, TaskId task, std::span<const Answered> answered, Outcome last);

  /// The answer to a task of one event, or the final answer to a deferred one. At an agent that gets runs it may come
  /// before the report that says deferred; it is then kept and applied with the report. An answer to a task that is
  /// over is ignored and counted (stats().stale_outcomes).
  void on_outcome(Now now, TaskId task, Outcome outcome);

  /// What the agent had in flight or deferred failed with `error`; it is handed over again, in order and before
  /// everything else of its lane, when the agent is up, or becomes a dead letter when its attempts are used up. Of a
  /// run in flight only the first event counts an attempt; the whole run comes again, the report will be stale, and so
  /// is an answer that was kept for it.
  void on_agent_down(Now now, AgentId agent, std::string_view error);
  /// As on_agent_down(), and what it holds is lost(shutdown), as is what still comes, until on_agent_up(). Of agents
  /// without gates and without durable subscriptions only.
  void on_agent_removed(Now now, AgentId agent, std::string_view error);
  void on_agent_up(Now now, AgentId agent);

  /// Makes retries runnable that are due and fails what exceeded its handler_timeout. A timed-out task's slot is free
  /// at once: an owner that cannot stop the handler restarts the agent or reports it down.
  void on_tick(Now now);

  /// Whether next() would look at something, as of the last call that took `now`.
  bool has_runnable() const;
  /// The highest lane in which something may wait that a worker busy with `agent` could do instead: whatever is
  /// runnable, and what is queued at `agent` itself, which has no free slot meanwhile. A hint, O(1).
  std::optional<Priority> most_urgent(AgentId agent) const;
  /// Something is queued at this agent in a higher lane. A hint, O(1).
  bool waits_above(AgentId agent, Priority lane) const;
  /// When on_tick() has something to do.
  std::optional<SteadyTime> next_deadline() const;

  /// The dead letters since the last call, oldest first; those of durable deliveries are in drain_durable().
  std::vector<DeadLetter> drain_letters();

  /// What became of durable deliveries since the last call.
  DurableReports drain_durable();
  bool has_durable_reports() const;
  /// AttemptFailed::permit: the delivery may be handed over again, once its delay is over. Of one that is no more:
  /// ignored.
  void permit_retry(Now now, TaskId permit);
  /// Takes back the durable deliveries of these streams, at once what waits and later what comes back from hands without
  /// being over: no attempt, no letter, as if never offered. What is in hands and ends there ends as ever. Until
  /// something is offered under the stream's number again.
  void recall(Now now, SubscriptionId subscription, std::span<const StreamKey> streams);

  /// From now on new events count as lost(shutdown), durable deliveries excepted, which are refused and nothing else;
  /// what is held goes on.
  void begin_drain();
  /// Nothing is held any more.
  bool drained() const;
  /// Ends everything: what is still held, also in flight, is lost(shutdown); later answers are stale. Durable
  /// deliveries that are still held were never published to this incarnation.
  void close(Now now);

  Books books(SubscriptionId subscription) const;
  DispatcherStats stats() const;
  /// Deliveries held in the mailboxes of each lane, without the rest of stats().
  std::array<std::uint64_t, limits::lane_count> lane_depths() const;

  std::size_t capacity(AgentId agent, Priority lane) const;
  /// Plain events of this lane that the agent's mailbox takes before it drops one.
  std::size_t room(AgentId agent, Priority lane) const;
  /// Events of this lane in the agent's mailbox and in its hands.
  std::size_t held(AgentId agent, Priority lane) const;

  std::size_t agent_count() const;
  std::size_t subscription_count() const;
  const std::string& agent_name(AgentId agent) const;
  AgentState agent_state(AgentId agent) const;
  AgentId agent_of(SubscriptionId subscription) const;
  const SubscriptionSpec& subscription(SubscriptionId subscription) const;

  /// Walks every structure and compares it with every counter. Expensive; for tests and diagnosis.
  /// Returns what does not add up, or nothing.
  std::optional<std::string> check_conservation() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
