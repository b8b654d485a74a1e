// What waits until spools have a position of the confirmed journal: frames that go out only then, and who asked.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <legion/core/frame_packer.hpp>
#include <legion/event/journal.hpp>
#include <legion/runtime/intake.hpp>

namespace legion {

/// Thread: the loop's. Order: what waits for the same number of spools is released in the order of its positions, and so
/// is every stream, because the number belongs to the type. Bounds: the confirmed journal's.
class ConfirmQueue {
 public:
  struct Waiting {
    Position position = 0;
    Priority lane = Priority::Normal;
    std::string type;
    std::uint8_t shard = 0;
    std::uint64_t first_sequence = 0;
    std::uint32_t count = 0;
    Bytes held;                 ///< the numbered frame, when it goes out only now; else empty
    std::vector<Asked> askers;
    bool is_held() const { return !held.empty(); }
  };

  void wait(std::uint8_t spools, Waiting waiting);
  /// `spools` spools have everything up to `through`; what waited for that is given to `release`, oldest first.
  void on_durable(std::uint8_t spools, Position through, const std::function<void(Waiting&)>& release);
  /// Everything that still waits, oldest first: it will not be confirmed any more.
  void give_up(const std::function<void(Waiting&)>& release);

  /// Events numbered and not yet sent.
  std::uint64_t held_events() const { return held_events_; }

 private:
  void release_front(std::deque<Waiting>& queue, const std::function<void(Waiting&)>& release);

  std::map<std::uint8_t, std::deque<Waiting>> by_spools_;
  std::uint64_t held_events_ = 0;
};

}  // namespace legion
