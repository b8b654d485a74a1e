// The dispatcher behind one lock, and the worker threads that carry out what it decides.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <legion/core/dispatcher.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/in_flight_book.hpp>
#include <legion/runtime/middleware_chains.hpp>
#include <legion/runtime/schema_guard.hpp>

namespace legion {

/// Thread: agents and subscriptions are added before start() or by the thread that offers; everything else from any. The lock is held only
/// for bookkeeping, never while an agent runs or a frame is decoded; of agents that answer at once it is taken once a
/// run. A worker in a run looks between any two events whether something more urgent waits, and then gives the rest back.
/// Bounds: as many deliveries under way as the agents' concurrency allows.
class DispatchPool {
 public:
  DispatchPool(std::size_t workers, std::uint64_t seed);
  ~DispatchPool();

  AgentId add_agent(AgentSpec spec, Agent* agent);
  /// `chain`: the steps before its handler, or null.
  SubscriptionId add_subscription(AgentId agent, SubscriptionSpec spec, std::unique_ptr<DispatchChain> chain = nullptr);

  /// Before start(): durable deliveries are noted there while an agent has them.
  void track(InFlightBook book);
  /// Of a subscription that was added later, in the order of SubscriptionId.
  void track_also(InFlightBook::Owner owner);
  /// InFlightOver.
  void forget_in_flight(const std::string& agent, const std::string& event, InFlightPath path);

  /// Before start(): events are compared with what their types declare before they are handed over. `guard` outlives
  /// the pool.
  void watch(const SchemaGuard& guard) { guard_ = &guard; }

  void start();
  /// Stops handing over; deliveries already made finish. Idempotent.
  void stop();

  /// The events of a frame from `first` on.
  void offer(Now now, const FramePtr& frame, std::uint32_t first, StreamKey stream, std::span<const Route> routes);

  /// Events of one durable delivery that are not offered with the rest of their frame; with `earlier` it is one event.
  void offer_durable(Now now, const FramePtr& frame, std::uint32_t first, std::uint32_t count,
                     std::span<const Route> routes, const std::optional<Earlier>& earlier);
  void permit_retry(Now now, TaskId permit);
  void recall(Now now, SubscriptionId subscription, std::span<const StreamKey> streams);
  /// Something has become of durable deliveries since the last drain_durable().
  bool has_durable_reports() const { return has_reports_.load(std::memory_order_acquire); }
  DurableReports drain_durable();
  /// Called, under the lock and once until the next drain_durable(), when there are reports. Set it before start().
  std::function<void()> on_durable_reports;

  void complete(TaskId task, Outcome outcome);
  /// The report of a run that was handed to an agent that answers later: as Dispatcher::on_answers().
  struct RunReport {
    TaskId task = 0;
    std::vector<Answered> answered{};
    Outcome last{};
  };
  void complete_run(RunReport report);
  /// Of such a run event k is in hands now.
  void run_progress(TaskId task, std::uint32_t k);
  /// Something in a higher lane is queued at this agent.
  AgentId agent_of(SubscriptionId subscription) const;
  AgentState state_of_agent(SubscriptionId subscription) const;
  bool waits_above(AgentId agent, Priority lane) const;
  /// These reports, and nothing is handed over in between: the agent is down.
  void complete_and_down(AgentId agent, std::vector<RunReport> reports, std::string_view error);

  /// Dispatcher::on_agent_removed(); agent_up() brings it back.
  void remove_agent(AgentId agent, std::string_view error);

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
  /// Shared: a worker may be in it while its subscription goes.
  using Steps = std::shared_ptr<const DispatchChain>;
  struct Run {
    AgentId agent;
    Priority lane = Priority::Normal;
  };
  struct Worker {
    std::optional<Run> run;          // guarded by mutex_
    std::atomic<bool> yields{false};  // something more urgent than its run waits
    std::vector<Answered> answered;   // of its run; the worker's own
    std::size_t stretch = 1;          // events timed together; the worker's own
    std::optional<InFlightBook::Slot> slot;  // for its run; the worker's own
    std::thread thread;
  };

  void work(Worker& worker);
  Now hand_over(Worker& worker, Task task, std::unique_lock<std::mutex>& lock);
  Now hand_over_run(Agent& agent, Task task, const Steps& steps, std::unique_lock<std::mutex>& lock);
  std::optional<Outcome> cut_before_misfit(Task& task) const;
  std::optional<Outcome> cut_by_steps(const DispatchChain& steps, Task& task) const;
  Outcome handle_run(Worker& worker, Agent& agent, const Task& task, const Steps& steps);
  std::optional<Outcome> handle_one(Agent& agent, const Task& task, const Steps& steps) const;
  static Now take_time(Worker& worker, std::size_t& timed, Now since);
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  enum class Wake : std::uint8_t { Nobody, One };
  Wake after_change();
  void tell_reports();
  void wake(Wake whom);
  void report_run(Now now, RunReport report);
  void take_down(Now now, AgentId agent, std::string_view error);

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Dispatcher dispatcher_;
  std::vector<Steps> steps_;  // by SubscriptionId; null where there are none
  std::vector<Agent*> agents_;  // by AgentId; owned by the node, which outlives the pool's threads
  std::atomic<bool> has_reports_{false};
  std::optional<InFlightBook> in_flight_;
  struct RunOut {
    Task task;
    InFlightBook::Slot slot = 0;
  };
  std::map<TaskId, RunOut> runs_out_;  // at agents that answer later, as far as they are in the in-flight file
  const SchemaGuard* guard_ = nullptr;
  std::size_t sleeping_ = 0;
  std::optional<SteadyTime> slept_for_;  // the deadline the last sleeper knew of
  bool stopping_ = false;
  std::deque<Worker> workers_;  // deque: workers do not move
};

}  // namespace legion
