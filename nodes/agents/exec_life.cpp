#include <legion/agents/exec_life.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include <legion/base/text.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {
namespace {

constexpr std::size_t turn_bytes = 64 * 1024;
constexpr std::size_t drain_turns_max = 64;
constexpr Duration broken_input_patience = 1s;

struct ReadResult {
  std::string_view bytes;
  enum class State : std::uint8_t { Bytes, Nothing, Ended } state = State::Nothing;
};

ReadResult read_some(int fd, std::array<char, turn_bytes>& buffer) {
  ssize_t count = 0;
  do {
    count = ::read(fd, buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  if (count > 0) return {{buffer.data(), static_cast<std::size_t>(count)}, ReadResult::State::Bytes};
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {{}, ReadResult::State::Nothing};
  return {{}, ReadResult::State::Ended};
}

SteadyTime steady_now() { return read_clocks().steady; }

}  // namespace

ExecLife::ExecLife(const ExecOptions& options, AgentServices& services, std::shared_ptr<ExecInbox> inbox,
                   ChildProcess process, std::uint64_t life)
    : options_(options),
      services_(services),
      inbox_(std::move(inbox)),
      process_(std::move(process)),
      dialogue_(options, services, inbox_, life),
      output_lines_(options.line_bytes_max),
      error_lines_(log_text_bytes_max * 2),
      errors_logged_(options.log_lines_per_second, 1s) {}

std::string ExecLife::run() {
  while (wait_and_move() == End::No) {
  }
  // The group goes first: what it leaves behind must not write on, and then the pipes come to an end.
  std::string how = process_.reap();
  drain_after_exit();
  dialogue_.end();
  if (const auto lines = errors_logged_.take_suppressed()) {
    services_.log(LogLevel::Warn, fmt::format("{} stderr lines suppressed", *lines));
  }
  return how;
}

ExecLife::End ExecLife::wait_and_move() {
  const SteadyTime now = steady_now();
  take_inbox(now);
  dialogue_.fill_output();
  follow_stop_plan(now);
  dialogue_.on_time(now);
  if (const auto lines = errors_logged_.take_suppressed(now)) {
    services_.log(LogLevel::Warn, fmt::format("{} stderr lines suppressed", *lines));
  }
  tell_reading_state();
  if (broken_input_at_ && now >= *broken_input_at_) {
    broken_input_at_.reset();
    process_.input().reset();
    services_.log(LogLevel::Warn, "the process has closed its standard input and takes no more events");
    dialogue_.on_input_closed("the process has closed its standard input");
  }

  // A descriptor of which nothing is wanted is left out: poll() would report its hang-up again and again.
  const bool write = process_.input() && !dialogue_.output().empty() && !broken_input_at_;
  const bool read = process_.output() && dialogue_.listening();
  std::array<pollfd, 5> watched{{
      {.fd = inbox_->wake_fd(), .events = POLLIN, .revents = 0},
      {.fd = process_.exit_fd(), .events = POLLIN, .revents = 0},
      {.fd = write ? process_.input().get() : -1, .events = POLLOUT, .revents = 0},
      {.fd = read ? process_.output().get() : -1, .events = POLLIN, .revents = 0},
      {.fd = process_.errors().get(), .events = POLLIN, .revents = 0},
  }};
  if (::poll(watched.data(), watched.size(), poll_timeout(now)) < 0) return End::No;
  if (watched[2].revents != 0) write_input();
  if (watched[3].revents != 0) read_output();
  if (watched[4].revents != 0) read_errors();
  return watched[1].revents != 0 ? End::Yes : End::No;
}

void ExecLife::take_inbox(SteadyTime now) {
  ExecInbox::Contents contents = inbox_->take();
  for (Delivery& delivery : contents.deliveries) dialogue_.hand_over(std::move(delivery));
  for (const NumberedRef& numbered : contents.numbered) dialogue_.on_numbered(numbered);
  if (contents.stop_within && !stop_) {
    const Duration grace = std::max(*contents.stop_within, Duration::zero());
    const Duration for_terminate = std::min<Duration>(grace / 4, 1s);
    stop_ = StopPlan{.close_input = now + grace / 4, .terminate = now + (grace - for_terminate), .kill = now + grace};
  }
}

void ExecLife::write_input() {
  if (dialogue_.output().write_to(process_.input().get()) == OutputQueue::Write::Ok) return;
  // Mostly the process is just ending, and its end says more than a closed pipe.
  broken_input_at_ = steady_now() + broken_input_patience;
}

void ExecLife::read_output() {
  std::array<char, turn_bytes> buffer;
  const ReadResult result = read_some(process_.output().get(), buffer);
  const SteadyTime now = steady_now();
  const auto on_line = [&](const StreamLine& line) { dialogue_.on_line(now, line); };
  output_lines_.push(result.bytes, on_line);
  if (result.state != ReadResult::State::Ended) return;
  output_lines_.finish(on_line);
  process_.output().reset();
}

void ExecLife::read_errors() {
  std::array<char, turn_bytes> buffer;
  const ReadResult result = read_some(process_.errors().get(), buffer);
  const auto on_line = [&](const StreamLine& line) { on_error_line(line); };
  error_lines_.push(result.bytes, on_line);
  if (result.state != ReadResult::State::Ended) return;
  error_lines_.finish(on_line);
  process_.errors().reset();
}

void ExecLife::on_error_line(const StreamLine& line) {
  services_.count("stderr_lines", 1);
  if (!errors_logged_.allow(steady_now())) return;
  if (line.kind == StreamLine::Kind::TooLong) {
    services_.log(LogLevel::Warn, "stderr: (a line that is too long)");
  } else {
    services_.log(LogLevel::Info, "stderr: " + printable(line.text, log_text_bytes_max));
  }
}

void ExecLife::drain_after_exit() {
  for (std::size_t turn = 0; turn < drain_turns_max; ++turn) {
    std::array<pollfd, 2> watched{{
        {.fd = process_.output().get(), .events = POLLIN, .revents = 0},
        {.fd = process_.errors().get(), .events = POLLIN, .revents = 0},
    }};
    if (::poll(watched.data(), watched.size(), 0) <= 0) return;
    if (watched[0].revents != 0) read_output();
    if (watched[1].revents != 0) read_errors();
  }
}

void ExecLife::follow_stop_plan(SteadyTime now) {
  if (!stop_) return;
  if (process_.input() && (dialogue_.output().empty() || now >= stop_->close_input)) {
    process_.input().reset();
    broken_input_at_.reset();
    dialogue_.on_input_closed("the agent is being stopped");
  }
  if (stop_->signals_sent == 0 && now >= stop_->terminate) {
    stop_->signals_sent = 1;
    services_.log(LogLevel::Warn, "the process goes on after the end of its input: SIGTERM");
    process_.signal_group(SIGTERM);
  }
  if (stop_->signals_sent == 1 && now >= stop_->kill) {
    stop_->signals_sent = 2;
    services_.log(LogLevel::Warn, "the process goes on after SIGTERM: SIGKILL");
    process_.signal_group(SIGKILL);
  }
}

void ExecLife::tell_reading_state() {
  const bool not_reading = !dialogue_.listening();
  if (not_reading == told_not_reading_) return;
  told_not_reading_ = not_reading;
  if (not_reading) {
    services_.count("not_reading", 1);
    if (!std::exchange(logged_not_reading_, true)) {
      services_.log(LogLevel::Warn, "the process does not read its standard input; its output waits until it does");
    }
  }
  services_.set_state(not_reading ? "running, not reading" : "running");
}

int ExecLife::poll_timeout(SteadyTime now) const {
  std::optional<SteadyTime> next;
  const auto consider = [&](std::optional<SteadyTime> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  consider(dialogue_.deadline());
  consider(errors_logged_.deadline());
  consider(broken_input_at_);
  if (stop_) {
    if (process_.input()) consider(stop_->close_input);
    if (stop_->signals_sent == 0) consider(stop_->terminate);
    if (stop_->signals_sent == 1) consider(stop_->kill);
  }
  if (!next) return -1;
  const std::int64_t ms = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000));
}

}  // namespace legion
