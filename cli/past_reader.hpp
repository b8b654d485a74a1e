// Reads what happened from a spool, in the order it was recorded there.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <legion/cli/event_choice.hpp>
#include <legion/cli/spool_queries.hpp>
#include <legion/event/frame.hpp>

namespace legion::cli {

struct PastQuestion {
  CommitNumber from = 1;
  std::optional<CommitNumber> until;      ///< included
  std::optional<WallTime> since, before;  ///< of the event's own time; `before` is not included
  std::optional<EventId> first_event;     ///< in the frame at `from`: earlier events of it are left out
  std::vector<Priority> lanes;            ///< empty: all
  EventChoice choice;
};

/// Thread: the command's. Bounds: a page of frames at a time. Errors: as SpoolQueries; a frame that does not decode costs
/// that frame and is counted.
class PastReader {
 public:
  struct Figures {
    std::uint64_t frames = 0;
    std::uint64_t damaged_frames = 0;
  };
  /// Events that were chosen, in order. False: no more are wanted.
  using OnEvent = std::function<bool(const EventPtr& event)>;
  /// Every frame that came, before its events, chosen or not.
  using OnFrame = std::function<void(const FrameHeader& header)>;

  PastReader(SpoolQueries& spool, PastQuestion question);

  /// Reads one page. True: there was nothing beyond it when it was read (or no more are wanted, or `until` is reached).
  Result<bool> read_page(const OnEvent& on_event, const OnFrame& on_frame = {});
  /// The first number that has not been read.
  CommitNumber next() const { return question_.from; }
  /// Only frames that may hold this correlation id are asked for, so that of a stream not everything comes.
  bool reads_whole_streams() const { return !correlation_; }
  const Figures& figures() const { return figures_; }
  SpoolQueries& spool() const { return spool_; }

 private:
  ScanQuery scan_query() const;
  bool chosen(const EventView& event, CommitNumber number) const;

  SpoolQueries& spool_;
  PastQuestion question_;
  const CommitNumber begin_;
  std::optional<std::string> correlation_;
  Figures figures_;
};

/// "2 frames of the spool do not decode; spool verify names them"
std::string damaged_text(std::uint64_t frames);

}  // namespace legion::cli
