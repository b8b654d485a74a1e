// Waiting for several sockets and file descriptors at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

struct epoll_event;

namespace legion::transport {

class Poller;

/// Whether a ZeroMQ socket may have input nobody has looked at.
///
/// The descriptor of a socket says only that commands wait for it, and any call on the socket may carry them out. So
/// the descriptor alone loses messages. The flag does not: it is raised when the descriptor is readable and by every
/// other call on the socket, and lowered only by a receive that found nothing (and has carried out all commands, so
/// that the next message makes the descriptor readable again).
/// Thread: the owner of the socket. Ownership: belongs to the socket; leaves its poller when it goes.
class InputFlag {
 public:
  InputFlag() = default;
  ~InputFlag();
  InputFlag(const InputFlag&) = delete;
  InputFlag& operator=(const InputFlag&) = delete;

  /// A receive may find something. Always, for a socket that is in no poller.
  bool raised() const { return raised_ || poller_ == nullptr; }
  void raise();
  void lower();
  /// The context was shut down; the poller will say so.
  void close();

 private:
  friend class Poller;
  Poller* poller_ = nullptr;
  std::size_t token_ = 0;
  bool raised_ = true;
};

/// Something to wait for: a file descriptor; when it is the one of a ZeroMQ socket, with the socket's flag.
struct Pollable {
  int fd = -1;
  InputFlag* input = nullptr;
};

enum class PollOutcome : std::uint8_t {
  Ready,     ///< a descriptor is readable or a flag is up
  TimedOut,  ///< neither; also after a signal
  Closed     ///< the context of a socket was shut down
};

/// Thread: one. Ownership: sockets leave by themselves when they are destroyed; a descriptor is removed before it is
/// closed. Order: none; the owner looks at its sockets in the order it wants.
/// Bounds: a wait costs what is ready, whatever the number of sockets. Every flag is raised at least every 50 ms if
/// wait() is called that often, because sockets do their housekeeping only inside calls.
class Poller {
 public:
  static Result<std::unique_ptr<Poller>> create();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// The token to ask ready() with. A socket is in one poller at most; its flag is raised. Errors of the kernel (out of
  /// memory, epoll's limit of watches) are assertions.
  std::size_t add(Pollable what);
  void add(const std::vector<Pollable>& all);
  void remove(std::size_t token);
  std::size_t size() const { return size_; }

  /// Level-triggered. Does not sleep while a flag is up. A negative time-out waits for ever; others, when sockets are
  /// watched, end early when it is time to raise the flags.
  PollOutcome wait(Duration timeout);
  /// Raises the flags of what has become ready, without waiting and without ending anything: for a look in the middle
  /// of a long read. What ready() answers stays as wait() left it.
  void look();
  /// The descriptor was readable at the end of the last wait().
  bool ready(std::size_t token) const;
  /// A flag is up: wait() would not sleep.
  bool has_input() const { return raised_ > 0; }

 private:
  friend class InputFlag;
  enum class Mark : std::uint8_t { No, Yes };
  struct Entry {
    int fd = -1;  // -1: free
    InputFlag* input = nullptr;
    bool ready = false;
  };

  explicit Poller(int epoll_fd) : epoll_fd_(epoll_fd) {}
  int collect(Duration timeout, Mark mark);
  int wait_for_events(std::span<epoll_event> events, Duration timeout);
  Duration bounded(Duration timeout) const;
  bool raise_all_when_due();

  int epoll_fd_;
  std::vector<Entry> entries_;      // by token
  std::vector<std::size_t> free_;   // tokens to be used again
  std::vector<std::size_t> ready_;  // marked by the last wait()
  std::size_t size_ = 0;
  std::size_t sockets_ = 0;
  std::size_t raised_ = 0;  // flags that are up
  SteadyTime raised_all_at_;
  bool closed_ = false;
  bool has_fine_timeouts_ = true;  // until the kernel says it has not
};

}  // namespace legion::transport
