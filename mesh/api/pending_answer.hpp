// An answer that was promised for later. Internal.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include <legion/api/handler_table.hpp>

namespace legion {

/// Between a handler that deferred and whoever holds its Acknowledgement. Thread: any.
struct PendingAnswer {
  PendingAnswer(std::shared_ptr<AnswerLine> answers_to, TaskId of) : line(std::move(answers_to)), task(of) {}

  /// The handler has returned deferred. The answer, when it has been given meanwhile.
  std::optional<Outcome> arm();
  /// The handler answered by itself.
  void cancel();
  /// The first answer is told to the node, once the handler has returned.
  void answer(Outcome outcome);

 private:
  enum class State : std::uint8_t { HandlerRuns, Armed, Over };
  std::mutex mutex;
  State state = State::HandlerRuns;
  std::optional<Outcome> early;
  const std::shared_ptr<AnswerLine> line;  // shared with the agent, which it may outlive
  const TaskId task;
};

}  // namespace legion
