// The records of one journal that are still here. Internal to the journal.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>

#include <legion/core/journal_void.hpp>
#include <legion/event/journal.hpp>

namespace legion {

/// A frame; or a range of positions that have none: a void, or records that are not here any more.
struct JournalEntry {
  Position first = 0;
  Position last = 0;
  SharedBytes frame;
  std::unique_ptr<JournalVoid> traces;  // of a void
  std::uint64_t sequence = 0;           // of the first event
  std::uint32_t events = 0;
  std::uint16_t type_offset = 0;        // in the frame
  std::uint8_t type_bytes = 0;
  std::uint8_t shard = 0;
  Priority lane = Priority::Normal;
  std::uint8_t spools = 0;              // required
  std::uint8_t held_for = 0;

  bool is_frame() const { return frame != nullptr; }
  bool is_void() const { return traces != nullptr; }
  std::string_view type() const { return as_text(*frame).substr(type_offset, type_bytes); }
};

/// Positions 1, 2, 3.. in order, the oldest dropped or made a void when room is needed.
///
/// Two queues, one behind the other. Where something in the middle has to give way, the border is moved there first, so
/// that taking out of the middle is taking from an end. The border follows what is sent and acknowledged; a record
/// crosses it once, and once more after a disconnect.
///
/// Bounds: voids and dropped ranges that touch become one.
class JournalRecords {
 public:
  /// Where the last search ended. A search for what follows costs nothing.
  using Hint = std::uint64_t;

  /// Bytes of a frame and of what it costs to keep it.
  static constexpr std::uint64_t cost(std::size_t frame_bytes) { return frame_bytes + entry_bytes; }

  Position last() const { return last_; }
  Position gone_through() const { return gone_through_; }  ///< everything up to here was dropped
  std::uint64_t bytes() const { return bytes_; }
  bool empty() const { return size() == 0; }
  const JournalEntry& front() const { return at(0); }

  /// At position last() + 1; `first` and `last` of the entry are filled in.
  Position append(JournalEntry entry);
  /// The entry that holds a position beyond gone_through(), up to last().
  const JournalEntry& find(Position position, Hint& hint) const;

  void drop_front();
  /// Drops the oldest frame `may_go` says yes to, wherever it stands; false: there is none. `may_go` says no to what it
  /// refused before, until reconsider().
  template <class MayGo>
  bool drop_oldest(MayGo may_go);
  void reconsider() { reconsider_ = true; }

  struct GivenUp {
    Position position = 0;
    std::uint32_t events = 0;
  };
  /// Makes a void of the oldest frame beyond `bound` but the newest one; of position 0: there is none. It joins a void
  /// before it that lies beyond `bound` too.
  GivenUp void_oldest(Position bound);

 private:
  static constexpr std::uint64_t entry_bytes = 192;  // the entry, the shared vector and its block, places in windows

  std::size_t size() const { return kept_.size() + rest_.size(); }
  const JournalEntry& at(std::size_t index) const {
    return index < kept_.size() ? kept_[index] : rest_[index - kept_.size()];
  }
  void keep(JournalEntry entry, Position bound);
  GivenUp give_up(JournalEntry entry, Position bound);
  void put_back(Position bound);
  JournalEntry take_rest();

  std::deque<JournalEntry> kept_, rest_;  // before and behind the border
  std::uint64_t popped_ = 0;  // entries that left at the front, for hints
  Position gone_through_ = 0;
  Position last_ = 0;
  std::uint64_t bytes_ = 0;
  bool reconsider_ = false;
};

template <class MayGo>
bool JournalRecords::drop_oldest(MayGo may_go) {
  if (reconsider_) put_back(0);
  reconsider_ = false;
  if (!empty() && (!front().is_frame() || may_go(front()))) {
    drop_front();
    return true;
  }
  while (!rest_.empty()) {
    JournalEntry entry = take_rest();
    const bool goes = entry.is_frame() && may_go(entry);
    if (goes) {
      bytes_ -= cost(entry.frame->size());
      entry.frame = nullptr;
    }
    keep(std::move(entry), 0);
    if (goes) return true;
  }
  return false;
}

}  // namespace legion
