// The priority dispatcher: takes the events of this node to its handlers. docs/architecture.md, "Dispatcher".
#pragma once

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

/// Holds the mailboxes, decides what is handed over next and keeps the books.
///
/// Thread: none of its own and no lock; the owner serialises every call. `now` must not go back on the steady clock.
/// Order: FIFO per stream and agent when its concurrency is 1, else FIFO per (stream, key); keyless unordered.
/// Gates: no lower tier sees an event before every matching gate (tier Critical) answered done for it.
/// Priority: highest lane first; of 64 consecutive dispatches at least one is from each lane that has runnable work
///   throughout.
/// Bounds: per agent and lane at most capacity deliveries plus concurrency in flight; deliveries waiting for an earlier
///   tier are bounded by the mailboxes of that tier. drain_letters() is to be called after every batch of calls.
class Dispatcher {
 public:
  /// `seed` feeds the retry jitter.
  explicit Dispatcher(std::uint64_t seed);
  ~Dispatcher();
  Dispatcher(Dispatcher&&) noexcept;
  Dispatcher& operator=(Dispatcher&&) noexcept;

  AgentId add_agent(AgentSpec spec);
  SubscriptionId add_subscription(AgentId agent, SubscriptionSpec spec);

  /// Offers an event to all local subscriptions that match it (`routes`, each subscription at most once, any order).
  /// Events of one stream are to be offered in sequence order.
  void on_event(Now now, EventPtr event, StreamKey stream, std::span<const Route> routes);

  /// Hands over the next event, or nothing when no agent that is up has both a free slot and runnable work.
  std::optional<Task> next(Now now);

  /// The answer to a task. An answer to a task that is over is ignored and counted (stats().stale_outcomes).
  void on_outcome(Now now, TaskId task, Outcome outcome);

  /// What the agent had in flight or deferred failed with `error`; it is handed over again, in order and before
  /// everything else of its lane, when the agent is up, or becomes a dead letter when its attempts are used up.
  void on_agent_down(Now now, AgentId agent, std::string_view error);
  void on_agent_up(Now now, AgentId agent);

  /// Makes retries runnable that are due and fails what exceeded its handler_timeout. A timed-out task's slot is free
  /// at once: an owner that cannot stop the handler restarts the agent or reports it down.
  void on_tick(Now now);

  /// Whether next() would look at something, as of the last call that took `now`.
  bool has_runnable() const;
  /// When on_tick() has something to do.
  std::optional<SteadyTime> next_deadline() const;

  /// The dead letters since the last call, oldest first.
  std::vector<DeadLetter> drain_letters();

  /// From now on new events count as lost(shutdown); what is held goes on.
  void begin_drain();
  /// Nothing is held any more.
  bool drained() const;
  /// Ends everything: what is still held, also in flight, is lost(shutdown); later answers are stale.
  void close(Now now);

  Books books(SubscriptionId subscription) const;
  DispatcherStats stats() const;

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
