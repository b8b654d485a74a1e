#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <legion/agents/agent_line.hpp>
#include <legion/agents/exec_inbox.hpp>
#include <legion/agents/exec_options.hpp>
#include <legion/agents/line_splitter.hpp>
#include <legion/base/log_limiter.hpp>
#include <legion/agents/output_queue.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// The conversation with one life of an exec agent: what its lines mean and what it is told. docs/protocol.md, "Exec
/// agents". Reads and writes no descriptor; time is handed in.
///
/// Thread: the agent's I/O thread. Bounds: see ExecOptions; an invalid line costs that line and nothing else.
class ExecDialogue {
 public:
  ExecDialogue(const ExecOptions& options, AgentServices& services, std::shared_ptr<ExecInbox> inbox,
               std::uint64_t life);

  /// Queues the event, or keeps it until the agent reads on. Exactly one final outcome follows unless the life ends.
  void hand_over(Delivery delivery);
  void on_line(SteadyTime now, const StreamLine& line);
  void on_numbered(const NumberedRef& numbered);
  /// Nothing more can be written: what was not written fails with this text, and so does what comes.
  void on_input_closed(std::string_view why);

  /// Encodes what was kept, as far as there is room.
  void fill_output();
  OutputQueue& output() { return output_; }
  /// Whether the agent's lines are to be read: not while it leaves what we write unread.
  bool listening() const { return output_.bytes() <= options_.output_bytes_max; }

  /// Reports what was suppressed in windows that are over.
  void on_time(SteadyTime now);
  /// The last words about what was suppressed.
  void end();
  std::optional<SteadyTime> deadline() const;

 private:
  struct Open {
    TaskId task;
    EventPtr event;
    std::uint32_t attempt;
  };
  using OpenMap = std::map<std::uint64_t, Open>;

  void on_outcome_line(SteadyTime now, std::uint64_t number, OutcomeLine line);
  void on_publish_line(SteadyTime now, std::uint64_t number, PublishLine line);
  void on_log_line(SteadyTime now, const LogTextLine& line);
  void refuse(SteadyTime now, std::uint64_t number, const std::optional<std::string>& ref, std::string_view reason);
  void report_invalid(SteadyTime now, std::uint64_t number, std::string_view message);
  bool inherit_from_cause(std::uint64_t cause, Event& event) const;
  void finish(OpenMap::iterator open, Outcome outcome);
  void tell_suppressed(std::uint64_t lines, std::string_view kind);

  const ExecOptions& options_;
  AgentServices& services_;
  std::shared_ptr<ExecInbox> inbox_;  // shared with the callbacks of publishes under way
  std::uint64_t life_;

  std::uint64_t last_delivery_ = 0;
  OpenMap open_;
  std::deque<std::uint64_t> unencoded_;  // deliveries not yet in output_
  std::size_t pending_refs_ = 0;
  OutputQueue output_;
  std::string input_closed_;  // why; empty: it is open
  LogLimiter logged_;
  LogLimiter reported_;
};

}  // namespace legion
