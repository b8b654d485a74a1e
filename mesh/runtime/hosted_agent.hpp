// An agent with its place in this node: what AgentServices is for it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include <legion/runtime/agent.hpp>
#include <legion/runtime/dispatch_pool.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/stats.hpp>

namespace legion {

/// What every agent of a node shares with its loop.
struct NodeStatus {
  std::atomic<std::size_t> alive_members{1};
  std::atomic<bool> publishing_open{false};
};

/// Thread: the services from any thread; start() from the node's owner, or on the loop's thread once there is one.
class HostedAgent final : public AgentServices {
 public:
  /// The references outlive the agent.
  struct Surroundings {
    const std::string& node;
    const NodeStatus& status;
    Intake& intake;
    DispatchPool& pool;
    const LogSink& log;
  };

  HostedAgent(Surroundings surroundings, std::string name, std::string kind, std::unique_ptr<Agent> agent);

  /// Set once, before start().
  void set_id(AgentId id) { id_ = id; }
  Agent& agent() { return *agent_; }
  const std::string& name() const { return name_; }
  std::string state() const;
  AgentSnapshot snapshot() const;

  /// On the loop's thread once there is a loop.
  enum class Place : std::uint8_t { Here, Removed };
  Place place() const { return place_; }
  void set_removed() { place_ = Place::Removed; }

  void start();
  /// Idempotent; of several threads one stops it.
  void stop(Duration grace);

  PublishResult publish(const Event& event, PublishOptions options) override;
  void complete(TaskId task, Outcome outcome) override;
  void agent_up() override;
  void agent_down(std::string error) override;
  void log(LogLevel level, std::string_view text) override;
  void set_state(std::string state) override;
  void count(std::string_view name, std::uint64_t by) override;
  const std::string& node_name() const override { return around_.node; }
  Now now() const override;
  std::size_t alive_members() const override { return around_.status.alive_members.load(std::memory_order_relaxed); }
  bool publishing_open() const override { return around_.status.publishing_open.load(std::memory_order_acquire); }

 private:
  void announce(std::string_view type, std::string_view error);

  Surroundings around_;
  std::string name_;
  std::string kind_;
  std::unique_ptr<Agent> agent_;
  AgentId id_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> stopped_{false};
  Place place_ = Place::Here;
  mutable std::mutex mutex_;  // guards what follows
  std::string state_ = "starting";
  NamedCounts counters_;
};

}  // namespace legion
