// From the publishers' queues to the lanes: numbers, sends, and hands own events back to this node.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/core/egress.hpp>
#include <legion/runtime/executor.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/transport/lane_publisher.hpp>

namespace legion {

/// Thread: the loop's. Order: events of a stream leave in the order of their publish() calls.
///
/// The two lower lanes are held while events come faster than 100,000 a second: then they leave in frames of at
/// least Intake::frame_worth events or after 100 us, whichever is sooner. Otherwise a loop that is quick sends frames
/// of two or three events, which cost its receivers so much that they fall behind. docs/adr/0015-lane-buffers.md.
class Outbound {
 public:
  using Lanes = std::array<std::unique_ptr<transport::LanePublisher>, limits::lane_count>;

  /// All outlive it. `own` gets every frame of events sent here, for the agents of this node; it may take the bytes.
  Outbound(Origin origin, Duration heartbeat_interval, Lanes& lanes, Intake& intake, Executor& executor,
           std::function<void(Now, UnnumberedFrame&)> own);

  /// Takes, numbers and sends what waits in the queues and is not held, highest lane first and bounded per lane.
  void flush(Now now);
  /// Tells the intake which lanes are held now. Before a sleep is announced: a publisher reads this word first, so it has
  /// to be out before that announcement's fence.
  void tell_what_is_held(Now now);
  /// When flush() has something to do; nothing: when somebody publishes.
  std::optional<SteadyTime> next_flush(Now now) const;
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
  bool is_held(Now now, Priority lane) const;
  void send(Now now, UnnumberedFrame& frame);
  void report_numbers(const UnnumberedFrame& frame, std::uint64_t first_sequence);
  void send(const std::vector<OutFrame>& frames);

  /// When a lane was taken from last, and until when it may gather a frame's worth.
  struct Pace {
    SteadyTime taken_at;
    SteadyTime held_until;
  };

  Egress egress_;
  std::array<Pace, limits::lane_count> paces_;
  Lanes& lanes_;
  Intake& intake_;
  Executor& executor_;
  std::function<void(Now, UnnumberedFrame&)> own_;
  std::vector<UnnumberedFrame> taken_;  // scratch of one take
  std::vector<NumberAsked> asked_;      // scratch of one take
  std::vector<OutFrame> frames_;        // scratch
};

}  // namespace legion
