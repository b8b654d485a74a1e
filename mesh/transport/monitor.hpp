// What happens to the connections of one socket.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <legion/base/error.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/monitor_event.hpp>
#include <legion/transport/poller.hpp>
#include <legion/transport/socket.hpp>

namespace legion::transport {

/// Thread: the owner of the socket. Order: as ZeroMQ reports them, per I/O thread.
/// Ownership: borrows the socket and must be destroyed before it. A socket that binds is monitored after the bind:
/// reporting a failed bind to a monitor overwrites errno, and with it the reason.
/// Bounds: the pipe is unbounded, because ZeroMQ's I/O thread would block on a full one; drain it every turn.
class Monitor {
 public:
  static Result<std::unique_ptr<Monitor>> attach(Context& context, Socket& socket);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Reports everything there is and returns how many events that was.
  std::size_t drain(const std::function<void(const MonitorEvent&)>& on_event);
  Pollable pollable() const { return pair_.pollable(); }
  bool may_have_input() const { return pair_.may_have_input(); }

 private:
  Monitor(void* watched, Socket pair) : watched_(watched), pair_(std::move(pair)) {}

  void* watched_;  // the C handle: it stays where it is when the Socket is moved
  Socket pair_;
};

}  // namespace legion::transport
