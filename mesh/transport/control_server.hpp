// Answers requests of other nodes, of tools and of remote agents.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/transport/lane_settings.hpp>
#include <legion/transport/monitor.hpp>

namespace legion::transport {

/// Whom to answer. Valid while the connection it came from lives; a later answer is dropped.
struct ControlPeer {
  /// REQ sockets put an empty part before the payload and want it back.
  enum class Envelope : std::uint8_t { Bare, Delimited };
  std::string routing_id;
  Envelope envelope = Envelope::Bare;
  friend auto operator<=>(const ControlPeer&, const ControlPeer&) = default;
};

struct ControlRequest {
  ControlPeer peer;
  Message payload;  ///< never empty
};

struct ControlServerCounters {
  std::uint64_t malformed = 0;            ///< messages that were not [payload] or [empty][payload]
  std::uint64_t replies_unreachable = 0;  ///< the asker has gone
  std::uint64_t replies_full = 0;         ///< the asker does not read
};

struct ControlServerOptions {
  int high_water_mark = control_high_water_mark;
  int linger_ms = control_linger_ms;
  std::uint64_t affinity = affinity_urgent;
};

/// A ROUTER that binds (MANDATORY): DEALER and REQ sockets connect to it.
/// Thread: one owner. Order: FIFO per peer; peers take turns. Bounds: `high_water_mark` parts per peer and direction; a
/// peer that does not read its answers loses them, and nobody waits.
class ControlServer {
 public:
  static Result<std::unique_ptr<ControlServer>> create(Context& context, ControlServerOptions options = {});

  /// The endpoint as bound. Errors: AddressInUse, InvalidArgument, Io.
  Result<std::string> bind(const std::string& uri);

  /// The next request; nullopt when there is none. What is malformed is discarded and counted.
  std::optional<ControlRequest> recv();
  /// recv() may find something.
  bool may_have_requests() const { return socket_.may_have_input(); }
  /// Sent: handed over to ZeroMQ. Full and Unreachable are counted; the answer is dropped.
  SendResult reply(const ControlPeer& peer, BytesView payload);

  std::size_t drain_monitor(const std::function<void(const MonitorEvent&)>& on_event) {
    return monitor_ ? monitor_->drain(on_event) : 0;
  }
  bool monitor_may_have_input() const { return monitor_ && monitor_->may_have_input(); }
  const ControlServerCounters& counters() const { return counters_; }
  /// The socket and, once bound, its monitor.
  std::vector<Pollable> pollables() const;

 private:
  ControlServer(Context& context, Socket socket) : context_(context), socket_(std::move(socket)) {}

  Context& context_;
  Socket socket_;
  std::unique_ptr<Monitor> monitor_;  // after the socket, so that it goes first
  ControlServerCounters counters_;
};

}  // namespace legion::transport
