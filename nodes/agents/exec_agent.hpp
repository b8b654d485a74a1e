#pragma once

#include <memory>
#include <thread>

#include <legion/agents/backoff.hpp>
#include <legion/agents/exec_inbox.hpp>
#include <legion/agents/exec_options.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// A program of any language, fed JSON lines (docs/protocol.md, "Exec agents") and started again whenever it ends.
///
/// Thread: one I/O thread of its own with all signals blocked; deliver() only queues. Ownership: the process group dies
/// with the agent. Errors: each end of the process is an agent_down() with how it ended; a program that cannot be
/// started is retried like one that ended at once.
class ExecAgent final : public Agent {
 public:
  explicit ExecAgent(ExecOptions options);
  ~ExecAgent() override;

  void start(AgentServices& services) override;
  std::optional<Outcome> deliver(const Delivery& delivery) override;
  void stop(Duration grace) override;

 private:
  enum class Next : std::uint8_t { Restart, Stop };

  void supervise();
  Next run_once();
  Next wait_before_restart(Duration delay);

  const ExecOptions options_;
  std::shared_ptr<ExecInbox> inbox_;  // shared with the callbacks of publishes under way
  AgentServices* services_ = nullptr;
  Backoff backoff_;
  std::uint64_t lives_ = 0;
  std::thread thread_;
};

}  // namespace legion
