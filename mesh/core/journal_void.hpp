// The trace of frames that were given up. Internal to the journal.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <legion/event/journal.hpp>

namespace legion {

/// What stood in a range of positions: per stream one span, several only where the stream's sequences have a hole.
///
/// Each span knows its last position, so that a void can be sent in parts cut at positions, whatever it was when
/// earlier parts went out. Bounds: one span per stream.
class JournalVoid {
 public:
  void add(Priority lane, std::string_view type, std::uint8_t shard, std::uint64_t first, std::uint64_t last,
           Position position);
  /// Everything in `other` lies behind what is here.
  void absorb(const JournalVoid& other);

  /// The next part behind `sent`: at most `spans_max` spans, those whose last positions follow, and where it ends.
  struct Part {
    std::vector<StreamSpan> spans;
    Position last = 0;
  };
  Part part_behind(Position sent, Position void_last, std::size_t spans_max) const;

 private:
  struct Span {
    StreamSpan span;
    Position position = 0;  // of its last frame
  };

  std::unordered_map<std::string, Span> newest_;  // by type, lane and shard
  std::vector<Span> closed_;                      // of streams that had a hole
  std::string key_;                               // scratch
  mutable std::vector<const Span*> by_position_;  // made when it is sent, dropped when it grows
};

}  // namespace legion
