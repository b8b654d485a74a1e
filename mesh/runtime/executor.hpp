// Runs callbacks given by users on a thread of their own, so that a slow one delays only other callbacks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace legion {

/// Thread: post() from any thread; tasks run one after the other on the executor's thread. Ordering: as posted.
/// The destructor runs what was posted before it.
class Executor {
 public:
  Executor();
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void post(std::function<void()> task);
  /// Runs what was posted before and ends the thread; what is posted later is dropped. Idempotent; not from a task.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace legion
