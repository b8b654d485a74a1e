#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <legion/agents/fd.hpp>
#include <legion/base/error.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

struct SinkOptions {
  Duration work{0};                 ///< busy time per event
  std::optional<std::string> file{};  ///< CloudEvents lines are appended to it, each written at once
  std::uint64_t fail_every = 0;     ///< every N-th hand-over is answered with retry; 0: none
};

/// builtin = "sink": takes events and counts them.
///
/// Thread: the dispatch workers, which `work` keeps busy. Errors: an event that cannot be written to the file is
/// answered with retry and the reason; a file that cannot be opened keeps the agent down ("failed: ...").
class SinkAgent final : public Agent {
 public:
  explicit SinkAgent(SinkOptions options) : options_(std::move(options)) {}

  void start(AgentServices& services) override;
  Answers answers() const override { return Answers::AtOnce; }
  std::optional<Outcome> deliver(const Delivery& delivery) override;
  void stop(Duration grace) override;

 private:
  enum class Turn : std::uint8_t { Take, Fail };

  Turn next_turn();
  Outcome take(const EventView& event);
  Result<void> append(std::string_view line);

  const SinkOptions options_;
  AgentServices* services_ = nullptr;
  std::mutex mutex_;
  std::uint64_t handed_over_ = 0;  // guarded by mutex_
  Fd file_;                        // written under mutex_
};

}  // namespace legion
