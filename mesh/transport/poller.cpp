#include <legion/transport/poller.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <legion/base/assert.hpp>
#include <legion/transport/socket.hpp>

namespace legion::transport {
namespace {

constexpr Duration untouched_max = 50ms;
constexpr Duration touch_early = 10ms;  // who is awake anyway need not wake again for it
constexpr int events_per_wait = 64;     // more that are ready come with the next wait, which then does not sleep

SteadyTime steady_now() {
  return {std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

}  // namespace

InputFlag::~InputFlag() {
  if (poller_ != nullptr) poller_->remove(token_);
}

void InputFlag::raise() {
  if (raised_) return;
  raised_ = true;
  if (poller_ != nullptr) ++poller_->raised_;
}

void InputFlag::lower() {
  if (!raised_) return;
  raised_ = false;
  if (poller_ != nullptr) --poller_->raised_;
}

void InputFlag::close() {
  raise();
  if (poller_ != nullptr) poller_->closed_ = true;
}

Result<std::unique_ptr<Poller>> Poller::create() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return std::unexpected(error_from_errno(errno, "cannot open an epoll descriptor"));
  return std::unique_ptr<Poller>(new Poller(fd));
}

Poller::~Poller() {
  for (const Entry& entry : entries_) {
    if (entry.input != nullptr) entry.input->poller_ = nullptr;
  }
  close(epoll_fd_);
}

std::size_t Poller::add(Pollable what) {
  std::size_t token = entries_.size();
  if (free_.empty()) {
    entries_.emplace_back();
  } else {
    token = free_.back();
    free_.pop_back();
  }
  entries_[token] = {what.fd, what.input, false};
  ++size_;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  LEGION_ASSERT(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, what.fd, &event) == 0);
  if (what.input == nullptr) return token;
  LEGION_ASSERT(what.input->poller_ == nullptr);
  what.input->poller_ = this;
  what.input->token_ = token;
  what.input->raised_ = true;
  ++sockets_;
  ++raised_;
  return token;
}

void Poller::add(const std::vector<Pollable>& all) {
  for (const Pollable& what : all) add(what);
}

void Poller::remove(std::size_t token) {
  LEGION_ASSERT(token < entries_.size() && entries_[token].fd >= 0);
  Entry& entry = entries_[token];
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, entry.fd, nullptr);
  if (entry.input != nullptr) {
    if (entry.input->raised_) --raised_;
    entry.input->poller_ = nullptr;
    --sockets_;
  }
  entry = {};
  --size_;
  std::erase(ready_, token);
  free_.push_back(token);
}

PollOutcome Poller::wait(Duration timeout) {
  for (const std::size_t token : ready_) entries_[token].ready = false;
  ready_.clear();
  if (closed_) return PollOutcome::Closed;
  const bool had_input = has_input();
  const int ready = collect(had_input ? Duration::zero() : bounded(timeout), Mark::Yes);
  const bool touching = raise_all_when_due();
  return ready > 0 || had_input || touching ? PollOutcome::Ready : PollOutcome::TimedOut;
}

void Poller::look() { collect(Duration::zero(), Mark::No); }

bool Poller::ready(std::size_t token) const {
  LEGION_ASSERT(token < entries_.size());
  return entries_[token].ready;
}

int Poller::collect(Duration timeout, Mark mark) {
  std::array<epoll_event, events_per_wait> events;
  const int count = wait_for_events(events, timeout);
  if (count < 0) {
    LEGION_ASSERT(errno == EINTR);
    return 0;
  }
  for (int i = 0; i < count; ++i) {
    const auto token = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
    Entry& entry = entries_[token];
    if (entry.input != nullptr) entry.input->raise();
    if (mark == Mark::No) continue;
    entry.ready = true;
    ready_.push_back(token);
  }
  return count;
}

// Kernels before 5.11 have no fine time-outs, and old seccomp filters refuse them: then a wait ends up to 1 ms late.
int Poller::wait_for_events(std::span<epoll_event> events, Duration timeout) {
  const int room = static_cast<int>(events.size());
  if (has_fine_timeouts_) {
    constexpr std::int64_t second = 1'000'000'000;
    const timespec limit{timeout.count() / second, timeout.count() % second};
    const int count =
        epoll_pwait2(epoll_fd_, events.data(), room, timeout < Duration::zero() ? nullptr : &limit, nullptr);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    has_fine_timeouts_ = false;
  }
  using std::chrono::ceil;
  using std::chrono::milliseconds;
  const int limit_ms = timeout < Duration::zero() ? -1 : static_cast<int>(ceil<milliseconds>(timeout).count());
  return epoll_wait(epoll_fd_, events.data(), room, limit_ms);
}

Duration Poller::bounded(Duration timeout) const {
  if (sockets_ == 0 || timeout <= Duration::zero()) return timeout;
  const Duration until_due = raised_all_at_ + untouched_max - steady_now();
  return std::min(timeout, std::max(Duration::zero(), until_due));
}

bool Poller::raise_all_when_due() {
  if (sockets_ == 0) return false;
  const SteadyTime now = steady_now();
  if (now - raised_all_at_ < untouched_max - touch_early) return false;
  raised_all_at_ = now;
  for (const Entry& entry : entries_) {
    if (entry.input != nullptr) entry.input->raise();
  }
  return true;
}

}  // namespace legion::transport
