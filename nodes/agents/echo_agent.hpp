#pragma once

#include <optional>
#include <string>

#include <legion/runtime/agent.hpp>

namespace legion {

struct EchoOptions {
  std::optional<std::string> reply_type{};  ///< of every answer
  std::string prefix = "echo.";           ///< without reply_type: put before the type of the event
};

/// builtin = "echo": answers each event with its data, key, correlation and trace context; the causation is the event.
///
/// Thread: the dispatch workers. Errors: would_block and closed mean retry, other refusals reject the event. What is
/// already an answer is not answered ("skipped"), so an echo never talks to itself.
class EchoAgent final : public Agent {
 public:
  explicit EchoAgent(EchoOptions options) : options_(std::move(options)) {}

  void start(AgentServices& services) override;
  Answers answers() const override { return Answers::AtOnce; }
  std::optional<Outcome> deliver(const Delivery& delivery) override;
  void stop(Duration grace) override;

 private:
  bool is_answer(const EventView& event) const;
  Outcome answer(const EventView& event);

  const EchoOptions options_;
  AgentServices* services_ = nullptr;
};

}  // namespace legion
