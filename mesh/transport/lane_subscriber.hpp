// Receives one lane of every peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/transport/lane_settings.hpp>
#include <legion/transport/monitor.hpp>

namespace legion::transport {

struct LaneSubscriberOptions {
  Duration redial_max = 2s;
  Duration connect_timeout = std::chrono::milliseconds(connect_timeout_ms);
  std::optional<int> high_water_mark = std::nullopt;      ///< absent: the lane's setting
  std::optional<int> kernel_buffer_bytes = std::nullopt;
  std::int64_t message_bytes_max = wire_message_bytes_max;
};

/// An XSUB connected to the same lane of every peer; also the receiving side of an observer.
/// Thread: one owner, which touches it at least every 100 ms, or subscriptions are not sent again after a reconnect.
/// Order: frames of one peer arrive in its order; peers take turns. Subscriptions go out in the order of the calls, and
/// after a reconnect in byte order.
/// Bounds: `high_water_mark` messages per peer, then TCP holds the sender back.
class LaneSubscriber {
 public:
  static Result<std::unique_ptr<LaneSubscriber>> create(Context& context, std::size_t lane,
                                                        LaneSubscriberOptions options = {});

  /// `uri` is numeric. Connecting again to the same uri does nothing (ZeroMQ would deliver everything twice); the
  /// caller keeps two addresses of one node apart. Errors: InvalidArgument, Io.
  Result<void> connect(const std::string& uri);
  /// What was received and not read is lost. A uri that is not connected is no error.
  Result<void> disconnect(const std::string& uri);
  bool is_connected_to(const std::string& uri) const { return uris_.contains(uri); }

  /// To every peer, present and future. The caller counts references: two subscribes and one unsubscribe leave nothing.
  /// Errors: TooBig above limits::topic_bytes_max, Closed.
  Result<void> subscribe(std::string_view topic);
  /// A topic that is not subscribed is no error.
  Result<void> unsubscribe(std::string_view topic);
  bool is_subscribed(std::string_view topic) const { return topics_.contains(topic); }

  /// Lets ZeroMQ send the subscriptions again that a reconnect asks for. Call it after LinkUp and before subscribing to
  /// a sync topic, which would otherwise overtake them: ZeroMQ skips this on sends within about 1 ms.
  void process_commands() { socket_.process_commands(); }

  /// The next frame; nullopt when there is none. Messages of several parts are discarded and counted.
  std::optional<Message> recv();
  /// recv() may find something.
  bool may_have_input() const { return socket_.may_have_input(); }

  std::size_t drain_monitor(const std::function<void(const MonitorEvent&)>& on_event) {
    return monitor_->drain(on_event);
  }
  bool monitor_may_have_input() const { return monitor_->may_have_input(); }
  std::uint64_t discarded() const { return discarded_; }
  /// The socket and its monitor.
  std::vector<Pollable> pollables() const { return {socket_.pollable(), monitor_->pollable()}; }

 private:
  explicit LaneSubscriber(Socket socket) : socket_(std::move(socket)) {}
  Result<void> send_upstream(char command, std::string_view topic);

  Socket socket_;
  std::unique_ptr<Monitor> monitor_;  // after the socket, so that it goes first
  std::set<std::string, std::less<>> uris_;
  std::set<std::string, std::less<>> topics_;
  std::uint64_t discarded_ = 0;
};

}  // namespace legion::transport
