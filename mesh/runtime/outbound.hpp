// From the publishers' queues to the lanes: numbers, sends, and hands own events back to this node.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <legion/core/egress.hpp>
#include <legion/runtime/executor.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/transport/lane_publisher.hpp>

namespace legion {

/// Thread: the loop's. Order: events of a stream leave in the order of their publish() calls.
class Outbound {
 public:
  using Lanes = std::array<std::unique_ptr<transport::LanePublisher>, limits::lane_count>;

  /// All outlive it. `own` gets every frame of events sent here, for the agents of this node; it may take the bytes.
  Outbound(Origin origin, Duration heartbeat_interval, Lanes& lanes, Intake& intake, Executor& executor,
           std::function<void(Now, UnnumberedFrame&)> own);

  /// Takes, numbers and sends what waits in the queues, highest lane first and bounded per lane; answers whether more
  /// waits.
  bool flush(Now now);
  /// Sends one event around the queues: heartbeats, and the goodbye.
  void send_now(Now now, const EncodedEvent& event);
  /// Tail markers that are due.
  void on_tick(Now now);
  /// Tail markers of everything that moved: before the goodbye.
  void flush_markers(Now now);
  void answer_sync(const SyncTopic& topic, Priority lane);

  const Egress& egress() const { return egress_; }

 private:
  void take(Now now, Priority lane, std::size_t events_max);
  void send(Now now, UnnumberedFrame& frame);
  void report_numbers(const UnnumberedFrame& frame, std::uint64_t first_sequence);
  void send(const std::vector<OutFrame>& frames);

  Egress egress_;
  Lanes& lanes_;
  Intake& intake_;
  Executor& executor_;
  std::function<void(Now, UnnumberedFrame&)> own_;
  std::vector<UnnumberedFrame> taken_;  // scratch of one take
  std::vector<NumberAsked> asked_;      // scratch of one take
  std::vector<OutFrame> frames_;        // scratch
};

}  // namespace legion
