#pragma once

#include <legion/runtime/agent.hpp>

namespace legion {

/// builtin = "log": a log line for each event, with type, priority, id, source and data.
/// Thread: the dispatch workers. Bounds: 4 KiB of data a line.
class LogAgent final : public Agent {
 public:
  explicit LogAgent(LogLevel level) : level_(level) {}

  void start(AgentServices& services) override;
  Answers answers() const override { return Answers::AtOnce; }
  std::optional<Outcome> deliver(const Delivery& delivery) override;
  void stop(Duration grace) override;

 private:
  LogLevel level_;
  AgentServices* services_ = nullptr;
};

}  // namespace legion
