// Socket settings of the mesh, per lane, in one place. docs/architecture.md states what they bound.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <legion/base/limits.hpp>
#include <legion/base/time.hpp>

namespace legion::transport {

struct LaneSettings {
  int high_water_mark;       ///< messages: SNDHWM of the XPUB, RCVHWM of the XSUB
  int kernel_buffer_bytes;   ///< SNDBUF and RCVBUF; 0 leaves them to the kernel: a fixed size stalls, zeromq-notes.md 29
  int publisher_linger_ms;
  std::uint64_t affinity;    ///< bit per I/O thread
  int tos;                   ///< 0: not marked
};

inline constexpr std::uint64_t affinity_urgent = 1;  ///< critical lane and control
inline constexpr std::uint64_t affinity_bulk = 2;

inline constexpr std::array<LaneSettings, limits::lane_count> lane_settings{{
    {4096, 0, 500, affinity_urgent, 0xB8},
    {4096, 0, 500, affinity_bulk, 0},
    {2048, 0, 500, affinity_bulk, 0},
    {512, 0, 500, affinity_bulk, 0},
}};

inline constexpr int upstream_high_water_mark = 1000;           ///< RCVHWM of an XPUB
inline constexpr std::int64_t upstream_message_bytes_max = 1024;  ///< MAXMSGSIZE of an XPUB: subscriptions only
inline constexpr std::int64_t wire_message_bytes_max = static_cast<std::int64_t>(limits::message_bytes_max) + 64;

inline constexpr int control_high_water_mark = 100;  // of up to 1 MiB each, per asker and direction
inline constexpr int control_linger_ms = 500;
inline constexpr int backlog = 512;
inline constexpr int handshake_ms = 4000;
inline constexpr int connect_timeout_ms = 3000;
inline constexpr int reconnect_ms = 200;
inline constexpr int tcp_keepalive_idle_s = 10;
inline constexpr int tcp_keepalive_interval_s = 5;
inline constexpr int tcp_keepalive_count = 3;
inline constexpr int tcp_unacknowledged_ms = 15000;  ///< TCP_MAXRT

/// The ZAP domain of every TCP socket that is bound.
inline constexpr const char* zap_domain = "legion";

}  // namespace legion::transport
