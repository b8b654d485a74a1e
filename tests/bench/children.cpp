#include "children.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <legion/runtime/clock.hpp>

extern char** environ;

namespace legion::bench {

namespace {

constexpr Duration end_limit = 15s;

std::unexpected<Error> io_error(const char* what) {
  return fail(ErrorCode::Io, std::string(what) + ": " + std::strerror(errno));
}

int poll_ms(Duration left) {
  return static_cast<int>(std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
}

sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = end_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

Interrupts::~Interrupts() {
  if (fd_ >= 0) ::close(fd_);
  const sigset_t set = end_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // one that came and was only noticed, not read, takes effect here
}

Result<std::unique_ptr<Child>> Child::start(const Interrupts& interrupts, std::vector<std::string> arguments) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0) return io_error("pipe");
  if (::pipe2(out.data(), O_CLOEXEC) != 0) {
    ::close(in[0]);
    ::close(in[1]);
    return io_error("pipe");
  }
  arguments.insert(arguments.begin(), "legion-bench");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  pid_t pid = 0;
  const int spawned = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  if (spawned != 0) {
    ::close(in[1]);
    ::close(out[0]);
    return fail(ErrorCode::Io, std::string("cannot start a process: ") + std::strerror(spawned));
  }
  return std::unique_ptr<Child>(new Child(pid, in[1], out[0], interrupts.fd()));
}

Child::~Child() {
  if (pid_ != 0) wait_for_end();
  ::close(output_);
}

Result<void> Child::write_line(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  if (::write(input_, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return errno == EPIPE ? fail(ErrorCode::Closed, "a process of the benchmark has ended") : io_error("write");
}

Result<nlohmann::json> Child::read_line(Duration timeout) {
  const SteadyTime deadline = read_clocks().steady + timeout;
  for (;;) {
    if (const auto end = read_.find('\n'); end != std::string::npos) {
      auto line = nlohmann::json::parse(read_.substr(0, end), nullptr, false);
      read_.erase(0, end + 1);
      if (line.is_discarded()) return fail(ErrorCode::BadData, "a process of the benchmark wrote no JSON");
      return line;
    }
    const Duration left = deadline - read_clocks().steady;
    if (left <= Duration{0}) return fail(ErrorCode::TimedOut, "a process of the benchmark does not answer");
    std::array<pollfd, 2> items{{{output_, POLLIN, 0}, {interrupts_, POLLIN, 0}}};
    if (::poll(items.data(), items.size(), poll_ms(left)) < 0 && errno != EINTR) return io_error("poll");
    if ((items[1].revents & POLLIN) != 0) return fail(ErrorCode::Closed, "interrupted");
    if (items[0].revents == 0) continue;
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(output_, buffer.data(), buffer.size());
    if (count < 0 && errno != EINTR) return io_error("read");
    if (count == 0) return fail(ErrorCode::Closed, "a process of the benchmark has ended");
    if (count > 0) read_.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

Result<void> Child::end() {
  const int status = wait_for_end();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::Internal, "a process of the benchmark did not end cleanly");
}

int Child::wait_for_end() {
  close_input();
  // Until it is waited for, its number cannot be another process's.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  const SteadyTime deadline = read_clocks().steady + end_limit;
  int ready = 0;
  while (pidfd >= 0 && ready == 0 && read_clocks().steady < deadline) {
    pollfd item{pidfd, POLLIN, 0};
    ready = std::max(0, ::poll(&item, 1, poll_ms(deadline - read_clocks().steady)));
  }
  if (ready == 0) ::kill(pid_, SIGKILL);
  if (pidfd >= 0) ::close(pidfd);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return status;
}

void Child::close_input() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
}

void Child::send_signal(int signal) {
  if (pid_ != 0) ::kill(pid_, signal);
}

Result<Child::Memory> Child::memory() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  constexpr std::uint64_t kib = 1024;
  Memory memory;
  for (std::string name; status >> name;) {
    if (name == "VmHWM:") status >> memory.peak_bytes;
    if (name == "VmRSS:") status >> memory.resident_bytes;
  }
  if (memory.resident_bytes == 0) return fail(ErrorCode::Io, "cannot read the memory of a process of the benchmark");
  return Memory{memory.resident_bytes * kib, memory.peak_bytes * kib};
}

Result<Duration> Child::processor_time() const {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    return fail(ErrorCode::Io, "cannot read the processor time of a process of the benchmark");
  }
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

Stopped::Stopped(Child& child) : child_(child) { child_.send_signal(SIGSTOP); }

Stopped::~Stopped() { child_.send_signal(SIGCONT); }

}  // namespace legion::bench
