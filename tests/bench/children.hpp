// Processes of this program in other roles, driven by lines of text over pipes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion::bench {

/// While it lives, SIGINT and SIGTERM become errors of read_line(), so that everything started here is taken down in
/// order. Children inherit the blocked signals and end by the end of their input.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

/// One process. Thread: one. Ownership: the process ends with the object: its input is closed, and after end_limit it
/// is killed; either way it is waited for.
class Child {
 public:
  /// Runs this program with `arguments`. Errors: Io.
  static Result<std::unique_ptr<Child>> start(const Interrupts& interrupts, std::vector<std::string> arguments);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Errors: Closed (it has ended), Io.
  Result<void> write_line(std::string_view line);
  /// Its next line, as JSON. Errors: TimedOut, Closed (it has ended, or a signal came), BadData, Io.
  Result<nlohmann::json> read_line(Duration timeout);
  /// Tells it to end, without waiting.
  void close_input();
  /// SIGSTOP or SIGCONT.
  void send_signal(int signal);
  /// Memory in use, now and at most since it started. Errors: Io.
  struct Memory {
    std::uint64_t resident_bytes = 0;
    std::uint64_t peak_bytes = 0;
  };
  Result<Memory> memory() const;
  /// It has used so far, all threads. Errors: Io.
  Result<Duration> processor_time() const;
  /// Closes its input, waits for it and says whether it ended with 0. Errors: Internal (it did not).
  Result<void> end();

 private:
  Child(pid_t pid, int input, int output, int interrupts)
      : pid_(pid), input_(input), output_(output), interrupts_(interrupts) {}
  int wait_for_end();

  pid_t pid_;       // 0: waited for
  int input_;       // what it reads; -1: closed
  int output_;      // what it writes
  int interrupts_;
  std::string read_;
};

/// Stops a process while it lives. The process outlives it.
class Stopped {
 public:
  explicit Stopped(Child& child);
  ~Stopped();
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  Child& child_;
};

}  // namespace legion::bench
