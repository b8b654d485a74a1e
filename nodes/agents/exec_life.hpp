#pragma once

#include <memory>
#include <optional>
#include <string>

#include <legion/agents/child_process.hpp>
#include <legion/agents/exec_dialogue.hpp>
#include <legion/agents/exec_inbox.hpp>
#include <legion/agents/exec_options.hpp>
#include <legion/agents/line_splitter.hpp>
#include <legion/base/log_limiter.hpp>

namespace legion {

/// One process of an exec agent from its start to its end: moves bytes between its pipes and the dialogue.
///
/// Thread: the agent's I/O thread. Bounds: every turn reads at most 64 KiB of each pipe, so none starves another.
class ExecLife {
 public:
  ExecLife(const ExecOptions& options, AgentServices& services, std::shared_ptr<ExecInbox> inbox, ChildProcess process,
           std::uint64_t life);

  /// Until the process has ended. How it ended, for example "exited with status 3".
  std::string run();
  bool stop_asked() const { return stop_.has_value(); }

 private:
  /// End of input at once, then SIGTERM, then SIGKILL.
  struct StopPlan {
    SteadyTime close_input;  ///< also with output unwritten
    SteadyTime terminate;
    SteadyTime kill;
    int signals_sent = 0;
  };
  enum class End : std::uint8_t { No, Yes };

  void take_inbox(SteadyTime now);
  End wait_and_move();
  void write_input();
  void read_output();
  void read_errors();
  void drain_after_exit();
  void follow_stop_plan(SteadyTime now);
  void tell_reading_state();
  void on_error_line(const StreamLine& line);
  int poll_timeout(SteadyTime now) const;

  const ExecOptions& options_;
  AgentServices& services_;
  std::shared_ptr<ExecInbox> inbox_;  // shared, see there
  ChildProcess process_;
  ExecDialogue dialogue_;
  LineSplitter output_lines_;
  LineSplitter error_lines_;
  LogLimiter errors_logged_;
  std::optional<StopPlan> stop_;
  std::optional<SteadyTime> broken_input_at_;  // when to believe that it was closed on purpose
  bool told_not_reading_ = false;
  bool logged_not_reading_ = false;  // once a life
};

}  // namespace legion
