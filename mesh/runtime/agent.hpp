// What an agent is to the node that hosts it, whatever it is made of (process, built-in, later a plug-in).
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>

#include <legion/base/time.hpp>
#include <legion/core/dispatcher.hpp>
#include <legion/event/event.hpp>
#include <legion/event/publish.hpp>
#include <legion/base/log.hpp>

namespace legion {

/// One event handed to an agent.
struct Delivery {
  TaskId task;
  SubscriptionId subscription;
  EventPtr event;
  std::uint32_t attempt = 1;
};

/// The node, as an agent sees it. Thread: every function may be called from any thread and none blocks.
class AgentServices {
 public:
  virtual ~AgentServices() = default;

  /// Fills in what is absent: source (`node/agent`), time, priority by policy, expiry by ttl. The event is encoded before
  /// this returns; a caller that keeps the object and changes it for the next call allocates nothing.
  virtual PublishResult publish(const Event& event, PublishOptions options) = 0;
  PublishResult publish(const Event& event) { return publish(event, {}); }
  /// As publish() with on_confirmed. Not to be waited for inside a handler: the workers would stand still.
  std::future<Confirm> publish_confirmed(const Event& event, PublishResult& result);

  /// The outcome of a delivery; late and repeated outcomes are counted and ignored.
  virtual void complete(TaskId task, Outcome outcome) = 0;
  /// The agent can take deliveries. An agent starts down and is down until it says so.
  virtual void agent_up() = 0;
  /// It cannot: unfinished deliveries count as failed attempts with this error and come again once it is up.
  virtual void agent_down(std::string error) = 0;

  virtual void log(LogLevel level, std::string_view text) = 0;
  /// Free text shown in heartbeats and `stats`, for example "running", "restarting", "finished".
  virtual void set_state(std::string state) = 0;
  /// A counter shown per agent in `stats`, for example "invalid_lines".
  virtual void count(std::string_view name, std::uint64_t by) = 0;

  virtual const std::string& node_name() const = 0;
  virtual Now now() const = 0;
  /// Members this node holds for alive, itself included.
  virtual std::size_t alive_members() const = 0;
  /// Everything may be published (the first-sync barrier is over).
  virtual bool publishing_open() const = 0;
};

/// Thread: start() and stop() from the main thread; deliver() from any dispatch worker, at most `concurrency` unfinished
/// deliveries at a time. Errors: whatever goes wrong inside an agent becomes an outcome, agent_down() or a log line,
/// never an exception.
class Agent {
 public:
  virtual ~Agent() = default;

  /// AtOnce: deliver() always returns the outcome. Such an agent is given runs of events without the dispatcher being
  /// asked in between, which makes it many times faster; what is more urgent still comes between any two events.
  /// LaterInRuns: deliver_run() is called instead of deliver(), with runs as AgentSpec::run_events_max says.
  enum class Answers : std::uint8_t { AtOnce, Later, LaterInRuns };
  virtual Answers answers() const { return Answers::Later; }

  virtual void start(AgentServices& services) = 0;
  /// The outcome, or nothing when exactly one complete() follows, now or later, unless agent_down() is called first.
  virtual std::optional<Outcome> deliver(const Delivery& delivery) = 0;
  /// Exactly one DispatchPool::complete_run() follows, unless the agent goes down first.
  virtual void deliver_run(Task) {}
  /// No deliveries follow. Returns within about `grace`; a process still running then is killed.
  virtual void stop(Duration grace) = 0;
};

}  // namespace legion
