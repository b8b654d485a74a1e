// Sends what originates here on one lane to every peer that subscribed.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/transport/lane_settings.hpp>
#include <legion/transport/monitor.hpp>
#include <legion/transport/xpub.hpp>

namespace legion::transport {

struct LanePublisherOptions {
  std::optional<int> high_water_mark = std::nullopt;      ///< absent: the lane's setting
  std::optional<int> kernel_buffer_bytes = std::nullopt;
  std::optional<int> linger_ms = std::nullopt;
};

/// An XPUB that binds.
/// Thread: one owner, which touches it at least every 100 ms. Bounds: per connected peer `high_water_mark` messages; a
/// peer that is slower loses messages, nobody else does, and send() never blocks.
class LanePublisher {
 public:
  /// `lane` is 0 (critical) to 3 (low).
  static Result<std::unique_ptr<LanePublisher>> create(Context& context, std::size_t lane,
                                                       LanePublisherOptions options = {});

  /// The endpoint as bound. Errors: AddressInUse, InvalidArgument, Io.
  Result<std::string> bind(const std::string& uri);

  PublishOutcome send(BytesView frame) { return xpub_.send(frame); }
  /// Reports the peers' subscriptions, at most `parts_max` parts a call; returns how many parts it read. Call it every
  /// turn until it returns less than `parts_max`.
  std::size_t recv_subscriptions(const SubscriptionReport& report, std::size_t parts_max) {
    return xpub_.read_upstream(report, parts_max);
  }
  /// recv_subscriptions() may find something.
  bool may_have_subscriptions() const { return xpub_.may_have_input(); }
  std::size_t drain_monitor(const std::function<void(const MonitorEvent&)>& on_event) {
    return monitor_ ? monitor_->drain(on_event) : 0;
  }
  bool monitor_may_have_input() const { return monitor_ && monitor_->may_have_input(); }

  const PublisherCounters& counters() const { return xpub_.counters(); }
  /// The socket and, once bound, its monitor.
  std::vector<Pollable> pollables() const;

 private:
  LanePublisher(Context& context, Xpub xpub) : context_(context), xpub_(std::move(xpub)) {}

  Context& context_;
  Xpub xpub_;
  std::unique_ptr<Monitor> monitor_;  // after the socket, so that it goes first
};

}  // namespace legion::transport
