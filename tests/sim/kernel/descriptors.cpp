// eventfd and epoll of a simulated machine. Descriptors below Kernel::first_fd are the real system's.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "kernel_state.hpp"

namespace legion::sim {

Descriptor* Machine::descriptor(int fd) {
  const auto place = static_cast<std::size_t>(fd - Kernel::first_fd);
  if (fd < Kernel::first_fd || place >= descriptors.size()) return nullptr;
  return descriptors[place].kind == Descriptor::Kind::Closed ? nullptr : &descriptors[place];
}

namespace {

int open_descriptor(Descriptor::Kind kind) {
  Machine& m = machine();
  int fd = 0;
  if (m.free_descriptors.empty()) {
    fd = Kernel::first_fd + static_cast<int>(m.descriptors.size());
    m.descriptors.emplace_back();
  } else {
    fd = m.free_descriptors.back();
    m.free_descriptors.pop_back();
  }
  Descriptor& fresh = m.descriptors[static_cast<std::size_t>(fd - Kernel::first_fd)];
  fresh = Descriptor{};
  fresh.kind = kind;
  return fd;
}

void unwatch(Descriptor& what, int fd) {
  Descriptor* epoll = machine().descriptor(what.watcher);
  what.watcher = -1;
  if (epoll != nullptr) std::erase(epoll->ready, fd);
}

void note_readable(Descriptor& what, int fd) {
  Machine& m = machine();
  Descriptor* epoll = m.descriptor(what.watcher);
  if (epoll == nullptr) return;
  if (!what.readable) {
    std::erase(epoll->ready, fd);
    return;
  }
  epoll->ready.push_back(fd);
  if (!epoll->waiters.empty()) m.wake_all(epoll->waiters);
}

void become(Descriptor& what, int fd, bool readable) {
  if (what.readable == readable) return;
  what.readable = readable;
  note_readable(what, fd);
}

int watch(int epoll_fd, int operation, int fd, const epoll_event* event) {
  Descriptor* what = machine().descriptor(fd);
  if (machine().descriptor(epoll_fd) == nullptr || what == nullptr) {
    errno = EBADF;
    return -1;
  }
  unwatch(*what, fd);
  if (operation == EPOLL_CTL_DEL) return 0;
  what->watcher = epoll_fd;
  what->data = event->data.u64;
  if (what->readable) note_readable(*what, fd);
  return 0;
}

int wait(int epoll_fd, epoll_event* events, int max, std::optional<Duration> timeout) {
  Machine& m = machine();
  const std::optional<SteadyTime> deadline = timeout ? std::optional(m.now + *timeout) : std::nullopt;
  while (true) {
    Descriptor* epoll = m.descriptor(epoll_fd);
    if (epoll == nullptr) {
      errno = EBADF;
      return -1;
    }
    if (!epoll->ready.empty()) {
      const int count = std::min(max, static_cast<int>(epoll->ready.size()));
      for (int i = 0; i < count; ++i) {
        const Descriptor* what = m.descriptor(epoll->ready[static_cast<std::size_t>(i)]);
        events[i].events = EPOLLIN;
        events[i].data.u64 = what->data;
      }
      std::rotate(epoll->ready.begin(), epoll->ready.begin() + count, epoll->ready.end());
      return count;
    }
    if (timeout && *timeout <= Duration{0}) return 0;
    if (!m.wait_in(epoll->waiters, deadline)) return 0;
  }
}

}  // namespace

int Kernel::open_fd() { return open_descriptor(Descriptor::Kind::Plain); }

void Kernel::close_fd(int fd) {
  Machine& m = machine();
  Descriptor* what = m.descriptor(fd);
  if (what == nullptr) return;
  unwatch(*what, fd);
  what->kind = Descriptor::Kind::Closed;
  m.free_descriptors.push_back(fd);
}

void Kernel::set_readable(int fd, bool readable) {
  if (Descriptor* what = machine().descriptor(fd)) become(*what, fd, readable);
}

}  // namespace legion::sim

using namespace legion::sim;

extern "C" {

int eventfd(unsigned initial, int) noexcept {
  const int fd = open_descriptor(Descriptor::Kind::Event);
  Descriptor& what = *machine().descriptor(fd);
  what.count = initial;
  what.readable = initial > 0;
  return fd;
}

ssize_t read(int fd, void* to, size_t bytes) {
  if (fd < Kernel::first_fd) return ::syscall(SYS_read, fd, to, bytes);
  Descriptor* what = machine().descriptor(fd);
  if (what == nullptr || bytes < sizeof what->count) {
    errno = what == nullptr ? EBADF : EINVAL;
    return -1;
  }
  if (what->count == 0) {
    errno = EAGAIN;
    return -1;
  }
  std::memcpy(to, &what->count, sizeof what->count);
  what->count = 0;
  become(*what, fd, false);
  return sizeof what->count;
}

ssize_t write(int fd, const void* from, size_t bytes) {
  if (fd < Kernel::first_fd) {
    return file_hooks().write != nullptr ? file_hooks().write(fd, from, bytes) : ::syscall(SYS_write, fd, from, bytes);
  }
  Descriptor* what = machine().descriptor(fd);
  if (what == nullptr || bytes < sizeof what->count) {
    errno = what == nullptr ? EBADF : EINVAL;
    return -1;
  }
  std::uint64_t more = 0;
  std::memcpy(&more, from, sizeof more);
  what->count += more;
  become(*what, fd, what->count > 0);
  return sizeof more;
}

int close(int fd) {
  if (fd < Kernel::first_fd) {
    if (file_hooks().before_close != nullptr) file_hooks().before_close(fd);
    return static_cast<int>(::syscall(SYS_close, fd));
  }
  Kernel::get().close_fd(fd);
  return 0;
}

int epoll_create1(int) noexcept { return open_descriptor(Descriptor::Kind::Epoll); }

int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) noexcept {
  return watch(epoll_fd, operation, fd, event);
}

int epoll_wait(int epoll_fd, epoll_event* events, int max, int timeout_ms) {
  return wait(epoll_fd, events, max,
              timeout_ms < 0 ? std::nullopt : std::optional<legion::Duration>(std::chrono::milliseconds(timeout_ms)));
}

int epoll_pwait2(int epoll_fd, epoll_event* events, int max, const timespec* timeout, const sigset_t*) {
  if (timeout == nullptr) return wait(epoll_fd, events, max, std::nullopt);
  return wait(epoll_fd, events, max, legion::Duration{timeout->tv_sec * 1'000'000'000 + timeout->tv_nsec});
}

}  // extern "C"
