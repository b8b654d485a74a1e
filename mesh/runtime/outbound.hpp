// From the publishers' queues to the lanes: numbers, sends, and hands own events back to this node.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/core/egress.hpp>
#include <legion/core/journal.hpp>
#include <legion/runtime/confirm_queue.hpp>
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

  /// Captured frames are journalled once a spool may want them.
  enum class Capture : std::uint8_t { Off, On };

  /// All outlive it. `own` gets every frame of events sent here, for the agents of this node; it may take the bytes.
  Outbound(Origin origin, Duration heartbeat_interval, Lanes& lanes, Intake& intake, Journal& journal,
           Executor& executor, std::function<void(Now, UnnumberedFrame&)> own);

  void set_capture(Capture capture) { capture_ = capture; }

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

  /// Sends what was held for this, and tells who asked.
  void on_durable(Now now, const Journal::Durable& durable);
  /// Puts a record (the encoded event of a `~record`) into the confirmed journal; it is not sent. 0: there is no room.
  Position record(Now now, BytesView event);
  /// This node stops, and its journal is closed: who still waits for a confirm is told that it did not come. What is held
  /// is not sent, what waits in the queues is not numbered any more, and there is no room for records.
  void give_up_confirms();

  const Egress& egress() const { return egress_; }
  /// Events that are numbered and wait for spools before they are sent.
  std::uint64_t held_events() const { return confirms_.held_events(); }

 private:
  void take(Now now, Priority lane, std::size_t events_max);
  bool is_held(Now now, Priority lane) const;
  void send(Now now, UnnumberedFrame& frame);
  void compress_large(UnnumberedFrame& frame);
  void send_numbered(Now now, UnnumberedFrame& frame);
  Position journal(Now now, const UnnumberedFrame& frame, std::uint64_t first_sequence);
  std::vector<Asked> take_askers(const UnnumberedFrame& frame);
  /// Names the events of a frame; a first sequence of 0: they have no number.
  struct Run {
    Priority lane;
    std::string_view type;
    std::uint8_t shard;
    std::uint64_t first_sequence;
  };
  void tell(std::vector<Asked>& askers, Asker::When when, const Run& run, Confirm::Status status);
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
  Journal& journal_;
  ConfirmQueue confirms_;
  Capture capture_ = Capture::Off;
  bool closed_ = false;
  std::uint64_t next_record_ = 1;
  Executor& executor_;
  std::function<void(Now, UnnumberedFrame&)> own_;
  std::vector<UnnumberedFrame> taken_;  // scratch of one take
  std::vector<Asked> asked_;            // scratch of one take
  std::vector<OutFrame> frames_;        // scratch
};

}  // namespace legion
