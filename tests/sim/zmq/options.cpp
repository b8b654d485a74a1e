#include "options.hpp"

#include <zmq.h>

#include <cerrno>
#include <cstring>

namespace legion::sim {
namespace {

// Hidden by the header together with the draft API.
constexpr int option_zap_enforce_domain = 93;
constexpr int option_only_first_subscribe = 108;

int set_int(int& member, const void* value, std::size_t size) {
  if (size != sizeof member) return EINVAL;
  std::memcpy(&member, value, sizeof member);
  return 0;
}

}  // namespace

int Options::set(int option, const void* value, std::size_t size) {
  switch (option) {
    case ZMQ_SNDHWM: return set_int(sndhwm, value, size);
    case ZMQ_RCVHWM: return set_int(rcvhwm, value, size);
    case ZMQ_LINGER: return set_int(linger_ms, value, size);
    case ZMQ_RECONNECT_IVL: return set_int(reconnect_ms, value, size);
    case ZMQ_RECONNECT_IVL_MAX: return set_int(reconnect_max_ms, value, size);
    case ZMQ_CONNECT_TIMEOUT: return set_int(connect_timeout_ms, value, size);
    case ZMQ_HANDSHAKE_IVL: return set_int(handshake_ms, value, size);
    case ZMQ_TCP_MAXRT: return set_int(user_timeout_ms, value, size);
    case ZMQ_TCP_KEEPALIVE: return set_int(keepalive, value, size);
    case ZMQ_TCP_KEEPALIVE_CNT: return set_int(keepalive_count, value, size);
    case ZMQ_TCP_KEEPALIVE_IDLE: return set_int(keepalive_idle_s, value, size);
    case ZMQ_TCP_KEEPALIVE_INTVL: return set_int(keepalive_interval_s, value, size);
    case ZMQ_SNDBUF: return set_int(sndbuf, value, size);
    case ZMQ_RCVBUF: return set_int(rcvbuf, value, size);
    case ZMQ_ROUTER_MANDATORY: return set_int(router_mandatory, value, size);
    case ZMQ_XPUB_NODROP: return set_int(xpub_nodrop, value, size);
    case option_only_first_subscribe: return set_int(only_first_subscribe, value, size);
    case option_zap_enforce_domain: return set_int(zap_enforce_domain, value, size);
    case ZMQ_ZAP_DOMAIN: zap_domain.assign(static_cast<const char*>(value), size); return 0;
    case ZMQ_MAXMSGSIZE:
      if (size != sizeof message_bytes_max) return EINVAL;
      std::memcpy(&message_bytes_max, value, size);
      return 0;
    case ZMQ_IMMEDIATE:
    case ZMQ_ROUTER_HANDOVER: {
      int wanted = 0;
      if (const int error = set_int(wanted, value, size); error != 0) return error;
      return wanted == 0 ? 0 : ENOTSUP;  // nobody wants the other; it is not simulated
    }
    case ZMQ_AFFINITY:
    case ZMQ_BACKLOG:
    case ZMQ_IPV6:
    case ZMQ_TOS: return 0;
    default: return EINVAL;
  }
}

}  // namespace legion::sim
