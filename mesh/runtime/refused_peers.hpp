// Counts who connected to a port of ours and was not let in.
#pragma once

#include <cstdint>
#include <deque>

#include <legion/runtime/stats.hpp>
#include <legion/transport/monitor_event.hpp>

namespace legion {

/// One per bound socket, fed with its monitor events. ZeroMQ names most failed handshakes, but a peer that speaks no ZMTP
/// at all (an HTTP request, a port scan) is only accepted and disconnected: that counts as handshake_aborted.
///
/// ZeroMQ does not say whose handshake ended, so it is taken for the one that has waited longest; while several are
/// under way one may be counted in the place of another, never twice and never not at all.
/// Bounds: connections_max handshakes under way; what comes on top is not counted as aborted.
class RefusedPeers {
 public:
  static constexpr std::size_t connections_max = 4096;

  void on_event(const transport::MonitorEvent& event);
  const NamedCounts& counts() const { return counts_; }

 private:
  void handshake_ended();

  NamedCounts counts_;
  std::deque<std::int32_t> under_way_;  // descriptors, oldest first
};

}  // namespace legion
