#pragma once

#include <algorithm>

#include <legion/base/time.hpp>

namespace legion {

/// How long to wait before a process is started again: doubling from `first` to `max`, from `first` again after the
/// process had stayed up for `stable_after`.
class Backoff {
 public:
  Backoff(Duration first, Duration max, Duration stable_after)
      : first_(std::min(first, max)), max_(max), stable_after_(stable_after), next_(first_) {}

  Duration after_run_of(Duration uptime) {
    if (uptime >= stable_after_) next_ = first_;
    const Duration delay = next_;
    next_ = next_ > max_ / 2 ? max_ : next_ * 2;
    return delay;
  }

 private:
  Duration first_;
  Duration max_;
  Duration stable_after_;
  Duration next_;
};

}  // namespace legion
