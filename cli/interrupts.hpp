// Ctrl-C and termination.
#pragma once

#include <atomic>
#include <thread>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion::cli {

/// Until take() an interrupt ends the program at once with 130. After it the first one makes stop_fd() readable, and the
/// second ends the program. Create it before any other thread: it blocks the signals for all of them.
/// Thread: a thread of its own waits for the signals; every function from any thread.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  void take() { taken_.store(true); }
  bool interrupted() const { return interrupted_.load(); }
  int stop_fd() const { return stop_fd_; }
  /// Waits for the interrupt, at most so long.
  void wait(Duration duration) const;

 private:
  void watch(int signal_fd);

  std::atomic<bool> taken_{false};
  std::atomic<bool> interrupted_{false};
  int stop_fd_;
  int quit_fd_;
  std::thread thread_;
};

}  // namespace legion::cli
