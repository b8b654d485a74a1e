// What is going to happen in a SimCluster, by time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "sim_cluster.hpp"
#include "sim_process.hpp"

namespace legion::sim {

/// Time passes in slots of equal width. Within one, what happens to a process happens in the order it was added, and
/// one process after the other: a thousand cores do not fit into a cache, one does.
class SimCluster::Happenings {
 public:
  struct Event {
    Process* process = nullptr;                  // whom it happens to
    std::function<void()> happen;                // empty: a heartbeat arrives
    std::uint64_t life = 0;
    std::shared_ptr<const Heartbeat> heartbeat;  // shared by all its receivers
  };

  explicit Happenings(Duration width) : width_(width.count()) {}

  /// Never in the slot that is happening now.
  void add(SteadyTime at, Event event) {
    const std::int64_t slot = std::max((at.ns + width_ - 1) / width_, slot_ + 1);
    slots_[slot].push_back(std::move(event));
  }

  bool due(SteadyTime until) const { return !slots_.empty() && slots_.begin()->first * width_ <= until.ns; }

  /// Gives every event of the next slot to `happen`, after its time to `begin`.
  template <class Begin, class Happen>
  void take(Begin begin, Happen happen) {
    auto next = slots_.extract(slots_.begin());
    slot_ = next.key();
    begin(SteadyTime{slot_ * width_});
    std::vector<Event>& events = next.mapped();
    std::vector<std::pair<std::size_t, std::size_t>> order;  // process, event
    order.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) order.emplace_back(events[i].process->index, i);
    std::ranges::sort(order);
    for (const auto& [process, event] : order) happen(events[event]);
  }

 private:
  std::int64_t width_;
  std::int64_t slot_ = 0;
  std::map<std::int64_t, std::vector<Event>> slots_;
};

}  // namespace legion::sim
