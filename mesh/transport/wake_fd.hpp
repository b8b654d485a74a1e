// Wakes a thread that waits in a Poller.
#pragma once

#include <atomic>
#include <memory>

#include <legion/base/error.hpp>
#include <legion/transport/poller.hpp>

namespace legion::transport {

/// An eventfd that is written only when the other side sleeps.
///
/// The sleeper: announce_sleep(); look once more whether there is work; wait with a Poller that has pollable(), with
/// time-out 0 if there was work; awake(), and drain() when the descriptor was readable. Who will not sleep need not
/// announce it. A producer: make the work visible; wake(). Then no wake-up is lost: either the producer sees the
/// announcement, or the sleeper sees the work. Thread: wake() and wake_always() from any; the others from the one
/// sleeper.
class WakeFd {
 public:
  static Result<WakeFd> create();
  WakeFd(WakeFd&& other) noexcept;
  WakeFd& operator=(WakeFd&&) = delete;
  ~WakeFd();

  void wake();
  /// As wake(), for a producer that has put a fence (seq_cst) behind making the work visible.
  void wake_after_fence();
  /// Also when nobody has announced to sleep; the next wait then returns at once.
  void wake_always();

  void announce_sleep();
  /// Ends the sleep: from now on wake() writes nothing.
  void awake();
  /// Makes the descriptor unreadable again. Before looking at what wake_always() told of.
  void drain();

  int fd() const { return fd_; }
  Pollable pollable() const { return {fd_, nullptr}; }

 private:
  explicit WakeFd(int fd) : fd_(fd) {}
  int fd_ = -1;
  std::atomic<bool> sleeping_{false};
};

}  // namespace legion::transport
