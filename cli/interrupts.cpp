#include <legion/cli/interrupts.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include <legion/base/assert.hpp>
#include <legion/cli/exit_code.hpp>

namespace legion::cli {
namespace {

void raise_fd(int fd) {
  const std::uint64_t one = 1;
  const ssize_t written = write(fd, &one, sizeof one);
  LEGION_ASSERT(written == static_cast<ssize_t>(sizeof one));
}

}  // namespace

Interrupts::Interrupts() : stop_fd_(eventfd(0, EFD_CLOEXEC)), quit_fd_(eventfd(0, EFD_CLOEXEC)) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const int signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
  LEGION_ASSERT(stop_fd_ >= 0 && quit_fd_ >= 0 && signal_fd >= 0);
  thread_ = std::thread([this, signal_fd] { watch(signal_fd); });
}

Interrupts::~Interrupts() {
  raise_fd(quit_fd_);
  thread_.join();
  close(stop_fd_);
  close(quit_fd_);
}

void Interrupts::watch(int signal_fd) {
  for (;;) {
    pollfd items[2] = {{signal_fd, POLLIN, 0}, {quit_fd_, POLLIN, 0}};
    poll(items, 2, -1);
    if ((items[1].revents & POLLIN) != 0) break;
    signalfd_siginfo info{};
    if ((items[0].revents & POLLIN) == 0 || read(signal_fd, &info, sizeof info) <= 0) continue;
    if (!taken_.load() || interrupted_.exchange(true)) _exit(exit_code::interrupted);
    raise_fd(stop_fd_);
  }
  close(signal_fd);
}

void Interrupts::wait(Duration duration) const {
  const Duration left = std::max(duration, Duration::zero());
  const timespec limit{static_cast<time_t>(left / 1s), static_cast<long>((left % 1s).count())};
  pollfd item{stop_fd_, POLLIN, 0};
  ppoll(&item, 1, &limit, nullptr);
}

}  // namespace legion::cli
