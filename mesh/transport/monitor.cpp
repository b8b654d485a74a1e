#include <legion/transport/monitor.hpp>

#include <zmq.h>

#include <cstring>
#include <optional>

#include <legion/base/assert.hpp>

namespace legion::transport {
namespace {

std::optional<MonitorEventKind> kind_of(std::uint16_t event) {
  switch (event) {
    case ZMQ_EVENT_CONNECTED: return MonitorEventKind::Connected;
    case ZMQ_EVENT_CONNECT_DELAYED: return MonitorEventKind::ConnectDelayed;
    case ZMQ_EVENT_CONNECT_RETRIED: return MonitorEventKind::ConnectRetried;
    case ZMQ_EVENT_LISTENING: return MonitorEventKind::Listening;
    case ZMQ_EVENT_BIND_FAILED: return MonitorEventKind::BindFailed;
    case ZMQ_EVENT_ACCEPTED: return MonitorEventKind::Accepted;
    case ZMQ_EVENT_ACCEPT_FAILED: return MonitorEventKind::AcceptFailed;
    case ZMQ_EVENT_CLOSED: return MonitorEventKind::Closed;
    case ZMQ_EVENT_CLOSE_FAILED: return MonitorEventKind::CloseFailed;
    case ZMQ_EVENT_DISCONNECTED: return MonitorEventKind::Disconnected;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return MonitorEventKind::HandshakeSucceeded;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: return MonitorEventKind::HandshakeFailed;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return MonitorEventKind::HandshakeProtocolError;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return MonitorEventKind::HandshakeRefused;
    default: return std::nullopt;
  }
}

}  // namespace

std::string_view to_string(MonitorEventKind kind) {
  switch (kind) {
    case MonitorEventKind::Connected: return "connected";
    case MonitorEventKind::ConnectDelayed: return "connect_delayed";
    case MonitorEventKind::ConnectRetried: return "connect_retried";
    case MonitorEventKind::HandshakeSucceeded: return "handshake_succeeded";
    case MonitorEventKind::HandshakeFailed: return "handshake_failed";
    case MonitorEventKind::HandshakeProtocolError: return "handshake_protocol_error";
    case MonitorEventKind::HandshakeRefused: return "handshake_refused";
    case MonitorEventKind::Disconnected: return "disconnected";
    case MonitorEventKind::Listening: return "listening";
    case MonitorEventKind::BindFailed: return "bind_failed";
    case MonitorEventKind::Accepted: return "accepted";
    case MonitorEventKind::AcceptFailed: return "accept_failed";
    case MonitorEventKind::Closed: return "closed";
    case MonitorEventKind::CloseFailed: return "close_failed";
  }
  LEGION_UNREACHABLE();
}

Result<std::unique_ptr<Monitor>> Monitor::attach(Context& context, Socket& socket) {
  const std::string address = context.unique_inproc("monitor");
  auto pair = Socket::open(context, SocketType::Pair);
  if (!pair) return std::unexpected(pair.error());
  if (auto done = pair->set(ZMQ_RCVHWM, 0); !done) return std::unexpected(done.error());
  if (zmq_socket_monitor(socket.handle(), address.c_str(), ZMQ_EVENT_ALL) != 0) {
    return std::unexpected(error_from_errno(zmq_errno(), "cannot monitor a socket"));
  }
  auto monitor = std::unique_ptr<Monitor>(new Monitor(socket.handle(), std::move(*pair)));
  if (auto done = monitor->pair_.connect(address); !done) return std::unexpected(done.error());
  return monitor;
}

// The watched socket must stop before our end closes, or its I/O thread would wait for a reader for ever.
Monitor::~Monitor() { zmq_socket_monitor(watched_, nullptr, 0); }

std::size_t Monitor::drain(const std::function<void(const MonitorEvent&)>& on_event) {
  std::size_t count = 0;
  More more = More::No;
  while (auto head = pair_.receive(more)) {
    std::uint16_t event = 0;
    MonitorEvent report;
    if (head->size() >= sizeof event + sizeof report.value) {
      std::memcpy(&event, head->data(), sizeof event);
      std::memcpy(&report.value, head->data() + sizeof event, sizeof report.value);
    }
    while (more == More::Yes) {
      auto endpoint = pair_.receive(more);
      if (!endpoint) return count;
      report.endpoint = endpoint->text();
    }
    const auto kind = kind_of(event);
    if (!kind) continue;
    report.kind = *kind;
    ++count;
    on_event(report);
  }
  return count;
}

}  // namespace legion::transport
