// An agent in another process that speaks to the control port, as the dispatcher sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <legion/runtime/agent.hpp>
#include <legion/runtime/remote_run.hpp>

namespace legion {

/// What workers hand to the loop for all remote agents of a node.
/// Thread: any. Bounds: one run, or AgentSpec::concurrency events, per agent.
class RemoteInbox {
 public:
  using AgentIndex = std::uint32_t;  ///< in the order they were added to the hub
  struct Handed {
    AgentIndex agent = 0;
    std::uint64_t life = 0;  ///< RemoteAgent::life() when it was handed over
    RemoteRun run{};
  };
  struct Contents {
    std::vector<Handed> runs;
    std::vector<AgentIndex> started;
    std::vector<AgentIndex> stopped;
    bool empty() const { return runs.empty() && started.empty() && stopped.empty(); }
  };

  explicit RemoteInbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void put(Handed handed);
  void started(AgentIndex agent);
  void stopped(AgentIndex agent);
  Contents take();
  /// The runs of one agent only.
  std::vector<Handed> take_of(AgentIndex agent);

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  Contents contents_;  // guarded by mutex_
};

/// Encodes what it is handed on the worker's thread and leaves the rest to the hub, on the loop's. It is down until a
/// client has attached.
/// Thread: as Agent. Ownership: the inbox outlives it.
class RemoteAgent final : public Agent {
 public:
  enum class Takes : std::uint8_t { Runs, Singles };
  RemoteAgent(RemoteInbox& inbox, RemoteInbox::AgentIndex index, Takes takes)
      : inbox_(inbox), index_(index), takes_(takes) {}

  Answers answers() const override { return takes_ == Takes::Runs ? Answers::LaterInRuns : Answers::Later; }
  void start(AgentServices& services) override;
  std::optional<Outcome> deliver(const Delivery& delivery) override;
  void deliver_run(Task task) override;
  void stop(Duration grace) override;

  /// Once started.
  AgentServices* services() const { return services_.load(std::memory_order_acquire); }
  /// Ends with each session: what was handed over before is none of the next client's.
  std::uint64_t life() const { return life_.load(std::memory_order_acquire); }
  void next_life() { life_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  RemoteInbox& inbox_;
  const RemoteInbox::AgentIndex index_;
  const Takes takes_;
  std::atomic<AgentServices*> services_{nullptr};
  std::atomic<std::uint64_t> life_{0};
};

}  // namespace legion
