// One report about a connection, as a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace legion::transport {

enum class MonitorEventKind : std::uint8_t {
  Connected,              ///< TCP is up, the handshake follows; value: file descriptor
  ConnectDelayed,         ///< a connect was started; value: errno
  ConnectRetried,         ///< the next connect is scheduled; value: ms from now
  HandshakeSucceeded,     ///< the link is up
  HandshakeFailed,        ///< value: errno
  HandshakeProtocolError, ///< the other side does not speak our protocol; value: ZMQ_PROTOCOL_ERROR_*
  HandshakeRefused,       ///< ZAP said no; value: status code
  Disconnected,           ///< value: file descriptor
  Listening,              ///< value: file descriptor
  BindFailed,             ///< value: errno
  Accepted,               ///< value: file descriptor
  AcceptFailed,           ///< value: errno (out of descriptors, mostly)
  Closed,                 ///< a connect attempt or a listener ended; value: file descriptor
  CloseFailed             ///< value: errno
};
std::string_view to_string(MonitorEventKind kind);  ///< "connected", "handshake_refused", ...

struct MonitorEvent {
  MonitorEventKind kind = MonitorEventKind::Closed;
  std::string endpoint;   ///< connecting side: what was connected to; binding side: the local address
  std::int32_t value = 0;
};

}  // namespace legion::transport
