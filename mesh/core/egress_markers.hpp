// Which stream owes a tail marker, and when.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include <legion/base/time.hpp>

namespace legion {

/// Streams are numbered 0, 1, 2... by add(). A stream owes its first marker when it has been quiet for its first wait,
/// further ones with doubling waits. While data follows nothing is owed.
///
/// Cost: on_data() is O(1) unless the stream was waiting for a later moment; take_due() is proportional to what became
/// due. Bounds: over one interval at most as many markers as there are streams (or `burst`, if they are fewer).
class MarkerSchedule {
 public:
  /// Up to this many streams need no pacing.
  static constexpr std::size_t burst = 64;

  MarkerSchedule(Duration interval, Duration interval_max);

  void add(Duration first_wait);
  void on_data(Now now, std::uint32_t stream);
  /// A marker went out without being due.
  void on_marker(Now now, std::uint32_t stream);
  /// Appends the streams whose marker has to go out now; they count as marked.
  void take_due(Now now, std::vector<std::uint32_t>& out);

 private:
  struct Slot {
    SteadyTime quiet_since;
    SteadyTime armed;      // the entry of the queue that counts; others of this stream are stale
    Duration first_wait{};
    Duration wait{};
    bool is_armed = false;
  };
  struct Entry {
    SteadyTime due;
    std::uint32_t stream = 0;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };

  void arm(std::uint32_t stream, SteadyTime due);
  void note_marker(Now now, Slot& slot) const;
  std::size_t allowance(Now now);

  Duration interval_;
  Duration interval_max_;
  std::vector<Slot> slots_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
  std::int64_t credit_ = 0;  // in markers x ns of interval: what the pace allowed and nobody used while some waited
  SteadyTime last_turn_{};
  bool turned_ = false;
};

}  // namespace legion
