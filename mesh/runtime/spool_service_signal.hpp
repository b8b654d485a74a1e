// How the threads of a spool tell the loop that they have something for it.
#pragma once

#include <atomic>
#include <utility>

#include <legion/transport/wake_fd.hpp>

namespace legion {

/// Thread: raise() from any, behind making the news visible; the others from the loop. Order: whoever lowers it and
/// then takes the news misses none. Bounds: one write and one read of an eventfd for any number of raises between two
/// looks.
class LoopSignal {
 public:
  static Result<std::unique_ptr<LoopSignal>> create() {
    auto wake = transport::WakeFd::create();
    if (!wake) return std::unexpected(wake.error());
    return std::unique_ptr<LoopSignal>(new LoopSignal(std::move(*wake)));
  }

  void raise() {
    if (!raised_.exchange(true)) wake_.wake_always();
  }
  bool raised() const { return raised_.load(std::memory_order_relaxed); }
  // The descriptor first: a raise() in between finds the flag still up, and its news are there to be taken.
  void lower() {
    wake_.drain();
    raised_.exchange(false);
  }
  transport::Pollable pollable() const { return wake_.pollable(); }

 private:
  explicit LoopSignal(transport::WakeFd wake) : wake_(std::move(wake)) {}
  transport::WakeFd wake_;
  std::atomic<bool> raised_{false};
};

}  // namespace legion
