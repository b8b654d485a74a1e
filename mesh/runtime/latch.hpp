// One thing that happens once, and threads that wait for it.
#pragma once

#include <condition_variable>
#include <mutex>

#include <legion/base/time.hpp>

namespace legion {

/// Thread: any.
class Latch {
 public:
  void set() {
    {
      const std::lock_guard lock(mutex_);
      set_ = true;
    }
    wake_.notify_all();
  }

  /// False when `limit` passed first.
  bool wait(Duration limit) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, limit, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool set_ = false;
};

}  // namespace legion
