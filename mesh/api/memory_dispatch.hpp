// The dispatcher of a node in memory, with workers of its own or driven by hand. Internal.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <legion/core/dispatcher.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/middleware_chains.hpp>
#include <legion/runtime/schema_guard.hpp>

namespace legion {

/// Thread: any, agents and subscriptions may come while it runs. The lock is never held while an agent is called. With
/// workers, `now` is that of the machine; without, whoever calls step() and tick() is the only worker.
class MemoryDispatch {
 public:
  MemoryDispatch(std::function<Now()> clock, std::uint64_t seed);
  ~MemoryDispatch();

  /// Before the first agent: events are compared with what their types declare before they are handed over. `guard`
  /// outlives this.
  void watch(const SchemaGuard& guard) { guard_ = &guard; }

  /// `agent` outlives this.
  AgentId add_agent(AgentSpec spec, Agent* agent);
  /// `chain`: the steps before its handler, or null.
  SubscriptionId add_subscription(AgentId agent, SubscriptionSpec spec, std::unique_ptr<DispatchChain> chain);

  void offer(const FramePtr& frame, StreamKey stream, std::span<const Route> routes);
  void complete(TaskId task, Outcome outcome);
  void agent_up(AgentId agent);
  void agent_down(AgentId agent, std::string_view error);
  void remove_agent(AgentId agent, std::string_view error);

  void start(std::size_t workers);
  /// What is in hands is finished first. Idempotent.
  void stop();

  /// One hand-over on this thread. False when nothing can be handed over now.
  bool step();
  /// What is due by the clock.
  void tick();
  std::optional<SteadyTime> next_deadline() const;

  bool drained() const;
  void close();
  DispatcherStats stats() const;
  /// Called under the lock. Set before the first agent.
  std::function<void(std::vector<DeadLetter>)> on_letters;

 private:
  void work();
  bool hand_over_next(std::unique_lock<std::mutex>& lock);
  Outcome handle_run(Agent& agent, const Task& task, const DispatchChain* steps, std::vector<Answered>& answered);
  void changed();

  const std::function<Now()> clock_;
  const SchemaGuard* guard_ = nullptr;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  Dispatcher dispatcher_;
  std::vector<Agent*> agents_;  // by AgentId
  std::deque<std::unique_ptr<DispatchChain>> steps_;  // by SubscriptionId; null where there are none
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace legion
