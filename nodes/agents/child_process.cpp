#include <legion/agents/child_process.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <string_view>

#include <fmt/format.h>

namespace legion {
namespace {

struct Pipe {
  Fd read;
  Fd write;
};

/// Above the standard streams, so that putting one end in the place of a standard stream never hits another end.
bool lift(Fd& fd) {
  if (fd.get() > STDERR_FILENO) return true;
  Fd lifted(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!lifted) return false;
  fd = std::move(lifted);
  return true;
}

std::optional<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  if (!lift(pipe.read) || !lift(pipe.write)) return std::nullopt;
  return pipe;
}

bool set_non_blocking(const Fd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  return flags >= 0 && ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) == 0;
}

std::vector<std::string> environment(const std::vector<std::pair<std::string, std::string>>& added) {
  std::map<std::string, std::string, std::less<>> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) entries[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : added) entries[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : entries) lines.push_back(name + '=' + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// posix_spawn's two option blocks, released with their owner.
class SpawnSetup {
 public:
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  /// 0 or an errno value.
  int prepare(int in, int out, int err, const std::string& working_dir) {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::sigdelset(&all, SIGKILL);
    ::sigdelset(&all, SIGSTOP);
    const short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (int e = ::posix_spawnattr_setflags(&attributes, flags)) return e;
    if (int e = ::posix_spawnattr_setpgroup(&attributes, 0)) return e;
    if (int e = ::posix_spawnattr_setsigmask(&attributes, &none)) return e;
    if (int e = ::posix_spawnattr_setsigdefault(&attributes, &all)) return e;
    if (int e = ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO)) return e;
    if (int e = ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO)) return e;
    if (int e = ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO)) return e;
    if (int e = ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)) return e;
    if (working_dir.empty()) return 0;
    return ::posix_spawn_file_actions_addchdir_np(&actions, working_dir.c_str());
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

/// Not glibc's: its header of 2.36 lacks C linkage.
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

std::string describe(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return fmt::format("exited with status {}", info.si_status);
  return fmt::format("killed by signal {} ({})", info.si_status, ::strsignal(info.si_status));
}

}  // namespace

Result<ChildProcess> ChildProcess::spawn(const SpawnOptions& options) {
  if (options.command.empty() || options.command.front().empty()) {
    return fail(ErrorCode::InvalidArgument, "no program to start");
  }
  const auto failed = [&](std::string_view what, int error) {
    return fail(ErrorCode::Io, fmt::format("cannot start {}: {}{}", options.command.front(), what, ::strerror(error)));
  };
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  if (!in || !out || !err) return failed("pipe: ", errno);
  if (!set_non_blocking(in->write) || !set_non_blocking(out->read) || !set_non_blocking(err->read)) {
    return failed("pipe: ", errno);
  }

  SpawnSetup setup;
  if (int e = setup.prepare(in->read.get(), out->write.get(), err->write.get(), options.working_dir)) {
    return failed("", e);
  }
  std::vector<std::string> arguments = options.command;
  std::vector<std::string> variables = environment(options.env);
  ChildProcess child;
  pid_t pid = -1;
  if (int e = ::posix_spawnp(&pid, arguments.front().c_str(), &setup.actions, &setup.attributes,
                             pointers(arguments).data(), pointers(variables).data())) {
    return failed("", e);
  }
  child.pid_ = pid;
  child.exit_fd_ = Fd(open_pidfd(pid));
  if (!child.exit_fd_) return failed("pidfd: ", errno);
  child.input_ = std::move(in->write);
  child.output_ = std::move(out->read);
  child.errors_ = std::move(err->read);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      exit_fd_(std::move(other.exit_fd_)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) reap();
}

void ChildProcess::signal_group(int signal) const {
  if (pid_ <= 0) return;
  ::kill(-pid_, signal);
  ::kill(pid_, signal);  // it may have left its group; its number is its own until it is reaped
}

std::string ChildProcess::reap() {
  // As long as the leader is not reaped, its number cannot belong to another group.
  signal_group(SIGKILL);
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED);
  } while (result != 0 && errno == EINTR);
  pid_ = -1;
  return result == 0 ? describe(info) : "ended";
}

}  // namespace legion
