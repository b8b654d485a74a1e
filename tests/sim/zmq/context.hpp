// One simulated process as ZeroMQ sees it: its sockets, its I/O thread, its descriptors.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "kernel/kernel.hpp"
#include "socket.hpp"

namespace legion::sim {

struct Host;
class Session;

/// The I/O thread is no fiber: what it would do is done in the scheduler, a moment after somebody gave it something to
/// do, and not while the process is paused.
/// Ownership: the network's, until the end of the run.
class Context {
 public:
  Context(Host& host, Process* process);

  Socket* open(int type);
  void close(Socket& socket);
  /// Every call on a socket of it fails from now on.
  void shut_down();
  bool is_shut_down() const { return shut_down_; }
  bool is_empty() const;  ///< no socket is open and none lingers

  /// What is bound inside the process: monitored sockets and the ZAP handler.
  std::map<std::string, Socket*> inproc;
  Host* host;
  bool placed = false;  ///< the host is certain

  int take_fd();
  void give_back_fd(int fd) { free_fds_.push(fd); }

  /// The I/O thread will look at this session.
  void wake(Session& session);
  bool is_running() const { return process_ == nullptr || process_->state == Process::State::Running; }
  /// Now, or when the process goes on.
  void run_or_defer(std::function<void()> call);
  const std::string& name() const { return name_; }

 private:
  void io_turn();
  void wait_for_resume();
  void on_resume();
  void die();

  Process* process_;
  std::string name_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::vector<std::uint64_t> busy_;       // sessions the I/O thread has to look at
  std::vector<std::function<void()>> deferred_;
  std::priority_queue<int, std::vector<int>, std::greater<>> free_fds_;
  int next_fd_ = 16;
  bool io_due_ = false;
  bool resume_watched_ = false;
  bool shut_down_ = false;
};

}  // namespace legion::sim
