// Socket options, with libzmq's defaults (and LINGER 0, as ZMQ_BLOCKY = 0 makes it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace legion::sim {

struct Options {
  int sndhwm = 1000;
  int rcvhwm = 1000;
  int linger_ms = 0;  ///< -1: for ever
  int reconnect_ms = 100;
  int reconnect_max_ms = 0;
  int connect_timeout_ms = 0;
  int handshake_ms = 30000;
  int user_timeout_ms = 0;  ///< ZMQ_TCP_MAXRT
  int keepalive = -1;
  int keepalive_count = -1;
  int keepalive_idle_s = -1;
  int keepalive_interval_s = -1;
  int sndbuf = -1;
  int rcvbuf = -1;
  std::int64_t message_bytes_max = -1;
  int router_mandatory = 0;
  int xpub_nodrop = 0;
  int only_first_subscribe = 0;
  int zap_enforce_domain = 0;
  std::string zap_domain;

  /// An errno, or 0. Options without an effect here are taken and forgotten.
  int set(int option, const void* value, std::size_t size);
};

}  // namespace legion::sim
