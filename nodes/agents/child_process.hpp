#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <legion/agents/fd.hpp>
#include <legion/base/error.hpp>

namespace legion {

struct SpawnOptions {
  std::vector<std::string> command{};                      ///< program (looked up in PATH) and its arguments
  std::vector<std::pair<std::string, std::string>> env{};  ///< added to our own environment; later ones win
  std::string working_dir{};                               ///< empty: ours
};

/// A running program with pipes to its three standard streams, in a process group of its own, without any other
/// descriptor of ours and with default signal handling.
///
/// Ownership: the destructor kills the group and reaps the program, so neither a zombie nor an orphan is left.
class ChildProcess {
 public:
  /// Errors: Io naming the program and the reason.
  static Result<ChildProcess> spawn(const SpawnOptions& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  /// Readable once the program has ended.
  int exit_fd() const { return exit_fd_.get(); }

  Fd& input() { return input_; }  ///< its standard input; our ends of all three do not block
  const Fd& input() const { return input_; }
  Fd& output() { return output_; }
  Fd& errors() { return errors_; }

  /// To the whole process group, as long as the program is not reaped.
  void signal_group(int signal) const;
  /// To be called when exit_fd() is readable: ends what the program left in its group, reaps it and says how it ended,
  /// for example "exited with status 3" or "killed by signal 9 (Killed)".
  std::string reap();

 private:
  ChildProcess() = default;

  pid_t pid_ = -1;
  Fd exit_fd_;
  Fd input_;
  Fd output_;
  Fd errors_;
};

}  // namespace legion
