// Waiting for several sockets and file descriptors at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <legion/base/time.hpp>

namespace legion::transport {

/// Something to wait for: a ZeroMQ socket, or a file descriptor when `socket` is null.
struct Pollable {
  void* socket = nullptr;
  int fd = -1;
};

enum class PollOutcome : std::uint8_t {
  Ready,     ///< at least one has input
  TimedOut,  ///< none has; also after a signal
  Closed     ///< the context was shut down
};

/// Thread: one. Order: none; the owner looks at its sockets in the order it wants.
/// Bounds: about 0.45 us per socket and wait. Every wait lets the sockets in it carry out pending commands, so
/// wait at most 100 ms.
class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void clear();
  /// The index to ask readable() with.
  std::size_t add(Pollable what);
  void add(const std::vector<Pollable>& all);
  std::size_t size() const;

  /// Level-triggered. A negative time-out waits for ever; others are rounded up to milliseconds.
  PollOutcome wait(Duration timeout);
  bool readable(std::size_t index) const;

 private:
  struct Items;  // keeps zmq.h out of the headers
  std::unique_ptr<Items> items_;
};

}  // namespace legion::transport
