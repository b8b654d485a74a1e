// Where the past and what is live meet: no event twice, and none left out between them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/cli/sequence_ranges.hpp>
#include <legion/event/event.hpp>
#include <legion/event/frame.hpp>
#include <legion/spool/store.hpp>

namespace legion::cli {

/// While the past is read from a spool, live events are kept back. They are let go once the spool has, of every stream
/// that is journalled, everything before the first one that was kept; what the past brought already is left out.
///
/// A stream that no live event of is known of has to be in the spool up to its tail, which its origin said after the
/// observer covered it. When too many events are kept back they are dropped, and read from the spool like everything else.
///
/// Thread: the command's. Bounds: `events_max` and `bytes_max` of events kept back; per stream a run for every gap.
class LiveJoin {
 public:
  struct Bounds {
    std::size_t events_max = 200'000;
    std::size_t bytes_max = 64 << 20;
  };
  using OnEvent = std::function<void(const EventPtr& event)>;

  explicit LiveJoin(Bounds bounds) : bounds_(bounds) {}

  /// Sequences the past brought.
  void on_past_frame(const FrameHeader& header);
  /// Keeps it back, or after let_go() hands it on unless the past had it.
  void on_live(const EventPtr& event, const OnEvent& on_event);
  /// Where a stream stood once it was covered: the next sequence to go out.
  void on_origin_tail(const StreamId& stream, std::uint64_t next);

  /// Streams of which the spool does not have everything yet that lies before what is live. `stored` are its tails, taken
  /// before the past was read to its end. A stream it has nothing of counts as one that is not journalled.
  struct Behind {
    std::uint64_t streams = 0;
    std::uint64_t events = 0;
    std::uint64_t unknown_streams = 0;  ///< nothing of them is in the spool
  };
  Behind behind(const std::vector<StreamTail>& stored) const;

  /// From here on live events go through.
  void let_go(const OnEvent& on_event);
  std::size_t kept() const { return kept_.size(); }
  /// Events that were dropped here and did not come from the spool either; after let_go().
  std::uint64_t lost() const;
  /// Times the bound was reached.
  std::uint64_t overflows() const { return overflows_; }
  /// Sequences missing within what the past brought.
  std::uint64_t holes() const;

 private:
  struct Stream {
    SequenceRanges past;
    SequenceRanges dropped;
    std::optional<std::uint64_t> first_kept;
    std::uint64_t tail = 1;
    /// The spool has to have everything before this.
    std::uint64_t wanted() const;
  };
  Stream& stream_of(const EventView& event);
  void drop_kept();

  Bounds bounds_;
  std::map<StreamId, Stream> streams_;
  std::deque<EventPtr> kept_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t overflows_ = 0;
  bool live_ = false;
};

}  // namespace legion::cli
