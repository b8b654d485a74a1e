#include <legion/transport/tcp_options.hpp>

#include <zmq.h>

#include <algorithm>
#include <string>

#include <legion/transport/lane_settings.hpp>

namespace legion::transport {
namespace {

// The header hides it with the draft API; the library has it. A build without it fails here, at the start.
constexpr int option_zap_enforce_domain = 93;

void set_common_options(SocketOptions& options) {
  // No ZMQ_HEARTBEAT_*: with a stalled consumer they abort the process.
  options.set(ZMQ_TCP_KEEPALIVE, 1)
      .set(ZMQ_TCP_KEEPALIVE_IDLE, tcp_keepalive_idle_s)
      .set(ZMQ_TCP_KEEPALIVE_INTVL, tcp_keepalive_interval_s)
      .set(ZMQ_TCP_KEEPALIVE_CNT, tcp_keepalive_count)
      .set(ZMQ_TCP_MAXRT, tcp_unacknowledged_ms)
      .set(ZMQ_HANDSHAKE_IVL, handshake_ms);
}

int milliseconds(Duration duration) {
  return static_cast<int>(
      std::clamp<std::int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(), 1, 3'600'000));
}

}  // namespace

Result<void> set_listener_options(Socket& socket) {
  SocketOptions options(socket);
  set_common_options(options);
  options.set(ZMQ_BACKLOG, backlog).set_text(ZMQ_ZAP_DOMAIN, zap_domain).set(option_zap_enforce_domain, 1);
  return options.result();
}

Result<void> set_connecter_options(Socket& socket, ConnecterOptions wanted) {
  SocketOptions options(socket);
  set_common_options(options);
  const int redial_max_ms = milliseconds(wanted.redial_max);
  options.set(ZMQ_CONNECT_TIMEOUT, milliseconds(wanted.connect_timeout))
      .set(ZMQ_RECONNECT_IVL, std::min(reconnect_ms, redial_max_ms))
      .set(ZMQ_RECONNECT_IVL_MAX, redial_max_ms)
      .set(ZMQ_IMMEDIATE, 0);
  return options.result();
}

}  // namespace legion::transport
