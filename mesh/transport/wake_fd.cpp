#include <legion/transport/wake_fd.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include <legion/transport/socket.hpp>

namespace legion::transport {

Result<WakeFd> WakeFd::create() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return std::unexpected(error_from_errno(errno, "cannot open an eventfd"));
  return WakeFd(fd);
}

WakeFd::WakeFd(WakeFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)), sleeping_(other.sleeping_.load()) {}

WakeFd::~WakeFd() {
  if (fd_ >= 0) close(fd_);
}

void WakeFd::wake() {
  // Between making the work visible and looking at the flag; announce_sleep() has its counterpart.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  wake_after_fence();
}

void WakeFd::wake_after_fence() {
  if (sleeping_.load(std::memory_order_relaxed) && sleeping_.exchange(false)) wake_always();
}

void WakeFd::wake_always() {
  const std::uint64_t one = 1;
  while (write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void WakeFd::announce_sleep() {
  sleeping_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void WakeFd::awake() { sleeping_.store(false, std::memory_order_relaxed); }

void WakeFd::drain() {
  std::uint64_t count = 0;
  while (read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

}  // namespace legion::transport
