// A node of a mesh without a network. Internal.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <legion/api/backend.hpp>
#include <legion/api/memory_dispatch.hpp>
#include <legion/api/memory_mesh.hpp>
#include <legion/core/egress.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/schema_guard.hpp>

namespace legion {

/// Publishes by the clock of the mesh.
class MemoryTarget final : public PublishTarget {
 public:
  /// By hand, waiting is the test's business: `pass` lets time pass; without it, Closed. So is what callbacks throw.
  MemoryTarget(std::shared_ptr<Intake> intake, std::function<Now()> clock, std::function<bool(Duration)> pass,
               LogSink log);

  PublishResult publish(const Event& event, std::string_view as, PublishOptions options) override;
  Waited wait(Duration time) override;
  Now now() const override { return clock_(); }
  void close();

 private:
  const std::shared_ptr<Intake> intake_;  // shared with the node, which may be gone before
  const std::function<Now()> clock_;
  const std::function<bool(Duration)> pass_;
  const LogSink log_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool closed_ = false;  // guarded by mutex_
};

/// Thread: as Backend.
class MemoryNode final : public Backend, public RunningNode {
 public:
  struct Options {
    std::string name;
    std::size_t workers = 2;  ///< of a mesh that runs by threads
    Duration drain_timeout = 10s;
    std::function<bool(Duration)> pass{};  ///< as MemoryTarget
  };
  /// Errors: InvalidArgument (the name).
  static Result<std::unique_ptr<Backend>> create(std::shared_ptr<MemoryMesh> mesh, Options options);
  ~MemoryNode() override;

  const std::string& name() const override { return options_.name; }
  Result<EmbeddedAgent> add_agent(std::string_view name, AgentOptions options) override;
  Result<void> remove_agent(std::string_view name) override { return agents_.remove(name); }
  const std::shared_ptr<PublishTarget>& target() const override { return agents_.target(); }
  Result<void> start() override;
  bool is_open() const override { return phase_ == Phase::Started; }
  bool stop() override { return agents_.may_stop() && end(); }
  int ended_fd() const override { return -1; }
  std::optional<NodeEnd> ended() const override { return std::nullopt; }
  std::string address() const override { return {}; }
  Statistics statistics() const override;

  Result<AgentId> begin(std::shared_ptr<HandlerTable> table, std::vector<SubscriptionOptions> wanted,
                        const Numbered& numbered) override;
  Result<void> subscribe(AgentId agent, SubscriptionOptions wanted, const Numbered& numbered) override;
  void unsubscribe(SubscriptionId subscription) override;
  void remove(AgentId agent) override;

  // --- the mesh's part ----------------------------------------------------------------------------------------------
  Intake& intake() { return *intake_; }
  const std::shared_ptr<Intake>& shared_intake() const { return intake_; }
  Egress& egress() { return egress_; }
  MemoryDispatch& dispatch() { return dispatch_; }
  /// Whom events of this type go to.
  std::vector<Route> routes(std::string_view type) const;
  void log(LogLevel level, std::string_view text) const;

 private:
  class Services;
  struct Subscribed {
    Filter filter;
    AgentId agent{};
    enum class State : std::uint8_t { Open, Closed } state = State::Open;
  };
  enum class Phase : std::uint8_t { Building, Started, Stopped };

  MemoryNode(std::shared_ptr<MemoryMesh> mesh, Options options, Incarnation incarnation, const SchemaTable& schemas);
  Result<void> check_room(std::size_t more) const;
  void open(AgentId agent, const std::vector<SubscriptionOptions>& wanted, const Numbered& numbered);
  bool drain();
  bool end();

  const std::shared_ptr<MemoryMesh> mesh_;  // shared by its nodes
  const Options options_;
  const std::shared_ptr<const SchemaGuard> schemas_;  // with the intake, as the next
  const std::shared_ptr<MiddlewareChains> middleware_;
  const std::shared_ptr<Intake> intake_;  // with publishers
  const std::shared_ptr<MemoryTarget> memory_target_;
  Egress egress_;  // the mesh's thread
  MemoryDispatch dispatch_;
  AgentTables agents_;
  std::mutex start_mutex_;  // held by start(), and by agents that come
  std::atomic<Phase> phase_{Phase::Building};
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Subscribed> subscriptions_;  // by SubscriptionId
  std::deque<std::unique_ptr<Services>> services_;
};

}  // namespace legion
