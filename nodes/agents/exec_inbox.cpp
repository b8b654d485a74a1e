#include <legion/agents/exec_inbox.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace legion {

ExecInbox::ExecInbox() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void ExecInbox::put(Delivery delivery) {
  {
    const std::lock_guard lock(mutex_);
    contents_.deliveries.push_back(std::move(delivery));
  }
  wake();
}

void ExecInbox::put(NumberedRef numbered) {
  {
    const std::lock_guard lock(mutex_);
    contents_.numbered.push_back(std::move(numbered));
  }
  wake();
}

void ExecInbox::stop(Duration grace) {
  {
    const std::lock_guard lock(mutex_);
    if (!contents_.stop_within) contents_.stop_within = grace;
  }
  wake();
}

ExecInbox::Contents ExecInbox::take() {
  std::uint64_t wakes = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &wakes, sizeof wakes);
  const std::lock_guard lock(mutex_);
  Contents taken = std::move(contents_);
  contents_ = {};
  contents_.stop_within = taken.stop_within;
  return taken;
}

void ExecInbox::wake() const {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then it is readable anyway.
  [[maybe_unused]] const ssize_t put = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace legion
