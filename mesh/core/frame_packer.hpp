// Events of one lane that wait for their numbers, gathered into frames.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <legion/base/fifo.hpp>
#include <legion/core/stream_name.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/journal.hpp>
#include <legion/event/policy.hpp>

namespace legion {

/// What is to become of frames of a type: as its policy says about journals, which is fixed for an incarnation.
struct Journalling {
  std::optional<JournalKind> journal{};  ///< nothing: durability none
  std::uint8_t spools = 0;               ///< that have to have it: at least 1 in the confirmed journal
  Deliver deliver = Deliver::Live;
  std::optional<std::size_t> compress_from{};  ///< bytes of events from which the frame is compressed; nothing: never
};

/// A frame that is complete except for its incarnation and first sequence, which Egress::number() fills in.
struct UnnumberedFrame {
  std::uint64_t serial = 0;  ///< of this packer, 1, 2, 3..
  Priority lane = Priority::Normal;
  std::string_view type;     ///< points into `bytes`
  std::uint8_t shard = 0;
  std::uint32_t count = 0;
  std::size_t events_bytes = 0;  ///< of the events alone
  Journalling journalling{};
  Bytes bytes;
};

/// Smart batching: an event joins the open frame of its stream, so what piles up while the loop is busy leaves in large
/// frames, and what comes alone leaves alone. Frames stop growing at limits::frame_bytes_target; a larger event travels
/// alone.
///
/// Thread: none of its own; the owner serialises every call. Order: FIFO within a stream; streams take turns, one frame
/// each. Bounds: the owner's, over events(); remembers at most limits::streams_per_origin_max streams besides those in
/// which something waits. Cost: one copy of the event; no allocation once buffers and streams are warm.
class FramePacker {
 public:
  FramePacker(std::string node, Priority lane);

  /// Where an event went.
  struct Place {
    std::uint64_t frame = 0;  ///< UnnumberedFrame::serial
    std::uint32_t index = 0;
  };
  /// `event` as append_event() encoded it; `type` and `shard` are valid on the wire.
  Place append(std::string_view type, std::uint8_t shard, BytesView event, const Journalling& journalling = {});

  /// Appends whole frames to `out` until they hold at least `events_max` events or nothing waits. Returns how many
  /// events.
  std::size_t take(std::size_t events_max, std::vector<UnnumberedFrame>& out);
  std::size_t events() const { return events_; }

  /// The buffer of a frame that is no longer needed.
  void recycle(Bytes buffer);

 private:
  struct Waiting {
    std::uint64_t serial = 0;
    std::size_t events_bytes = 0;
    FrameBuilder builder;
  };
  struct Stream {
    StreamName key;
    Journalling journalling;
    Fifo<Waiting> frames;
  };

  std::uint32_t find_or_add(std::string_view type, std::uint8_t shard);
  Waiting& open_frame(Stream& stream, std::size_t event_bytes);
  void forget_idle_streams();

  Origin origin_;  // its incarnation is not known yet
  Priority lane_;
  std::vector<Stream> streams_;
  std::unordered_map<StreamName, std::uint32_t, StreamNameHash, StreamNameEqual> by_key_;
  std::size_t streams_max_ = limits::streams_per_origin_max;
  std::uint32_t last_ = 0;           // the stream appended to last
  Fifo<std::uint32_t> turns_;  // streams with frames
  std::size_t events_ = 0;
  std::uint64_t serial_ = 0;
  std::vector<Bytes> spare_;
};

}  // namespace legion
