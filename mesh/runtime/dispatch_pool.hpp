// The dispatcher behind one lock, and the worker threads that carry out what it decides.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <legion/core/dispatcher.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// Thread: agents and subscriptions are added before start(); everything else from any thread. The lock is held only
/// for bookkeeping, never while an agent runs.
/// Bounds: as many deliveries under way as the agents' concurrency allows.
class DispatchPool {
 public:
  DispatchPool(std::size_t workers, std::uint64_t seed);
  ~DispatchPool();

  AgentId add_agent(AgentSpec spec, Agent* agent);
  SubscriptionId add_subscription(AgentId agent, SubscriptionSpec spec);

  void start();
  /// Stops handing over; deliveries already made finish. Idempotent.
  void stop();

  /// All events of one frame at once. `routes_of(i)` answers the routes of event i.
  void offer(Now now, std::span<const EventPtr> events, StreamKey stream,
             const std::function<std::span<const Route>(std::size_t)>& routes_of);

  void complete(TaskId task, Outcome outcome);
  void agent_up(AgentId agent);
  void agent_down(AgentId agent, std::string_view error);

  /// Nothing is held any more.
  bool drained() const;
  /// What is still held becomes lost(shutdown).
  void close();

  std::vector<DeadLetter> drain_letters();
  DispatcherStats stats() const;
  /// Runs `read` with the dispatcher locked, so that several figures belong to one moment.
  void inspect(const std::function<void(const Dispatcher&)>& read) const;

 private:
  void work();
  void wake_workers();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Dispatcher dispatcher_;
  std::vector<Agent*> agents_;  // by AgentId; owned by the node, which outlives the pool's threads
  std::size_t worker_count_;
  std::size_t sleeping_ = 0;
  std::optional<SteadyTime> slept_for_;  // the deadline the last sleeper knew of
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace legion
