// The sending half of the streams: numbers events, states tails.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/core/frame_packer.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/frame.hpp>

namespace legion {

/// One ZeroMQ part to send on the XPUB of `lane`.
struct OutFrame {
  Priority lane = Priority::Normal;
  enum class Kind : std::uint8_t { Data, Marker, Sync } kind = Kind::Data;
  Bytes bytes;
};

/// Thread: the loop's. Ordering: frames are appended to `out` in the order they have to be sent; sequences of a stream
/// start at 1 and have no holes. Bounds: limits::streams_per_origin_max streams; an event of a further one is refused.
class Egress {
 public:
  struct Config {
    Duration heartbeat_interval = 1s;
    Duration marker_interval_max = 60s;  ///< markers of a quiet stream are repeated with doubling interval up to this
  };
  Egress(Origin origin, Config config);
  ~Egress();
  Egress(Egress&&) noexcept;
  Egress& operator=(Egress&&) noexcept;

  /// Numbers the events of a frame: writes incarnation and first sequence into it and returns the
  /// sequence of its first event; 0 when it is refused, because this origin has too many streams. Tails and markers state
  /// what goes out, so frames that go later (deliver = "after_confirm") do not count there before went_out().
  enum class Goes : std::uint8_t { Now, Later };
  std::uint64_t number(Now now, UnnumberedFrame& frame, Goes goes = Goes::Now);
  /// `count` events of a stream whose frames were numbered to go later go out now, in their order.
  void went_out(Now now, Priority lane, std::string_view type, std::uint8_t shard, std::uint32_t count);

  /// Tail markers that are due. A stream is due one heartbeat interval after its last data, then again and again with
  /// doubling interval while it stays quiet; ten thousand streams due at once are spread over the interval. Streams of
  /// `agent.heartbeat` wait two intervals, so that beats on time never need one.
  void on_tick(Now now, std::vector<OutFrame>& out);

  /// Tail markers of every stream that moved since its last one, at once: before the goodbye.
  void flush_markers(Now now, std::vector<OutFrame>& out);

  /// The echo to a `~sync.` subscription that names this origin: all streams of `lane`, in numbered parts. Nothing when
  /// the topic names somebody else.
  void answer_sync(const SyncTopic& topic, Priority lane, std::vector<OutFrame>& out) const;

  std::vector<Tail> tails(Priority lane) const;
  std::size_t streams() const;
  std::uint64_t refused() const;              ///< events of streams beyond the bound
  std::uint64_t sent(Priority lane) const;  ///< events numbered so far on this lane
  const Origin& origin() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
