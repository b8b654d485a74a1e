// When a failed attempt is repeated.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/base/time.hpp>
#include <legion/core/dispatcher_pool.hpp>
#include <legion/core/dispatcher_types.hpp>

namespace legion::dispatch {

/// delay * backoff^(attempt - 1), varied by +- jitter. `spread` is in [-1, 1]; the result is in [0, delay_max].
Duration retry_delay(const RetryPolicy& policy, std::uint32_t attempt, double spread);

/// The items that wait for their retry, earliest first. An item is in it exactly while its stage is RetryWaiting.
class RetryQueue {
 public:
  explicit RetryQueue(std::uint64_t seed) : random_(seed) {}

  void add(SteadyTime now, const RetryPolicy& policy, std::uint32_t attempt, Index item);
  std::optional<Index> take_due(SteadyTime now);
  std::optional<SteadyTime> next_due() const;
  std::size_t size() const { return queue_.size(); }
  /// One that is in it. Costs as much as there is in it.
  void remove(Index item);
  void clear() { queue_ = {}; }

 private:
  struct Entry {
    SteadyTime due;
    std::uint64_t order;  // equal times: first come, first served
    Index item;
    friend bool operator>(const Entry& a, const Entry& b) {
      return a.due != b.due ? a.due > b.due : a.order > b.order;
    }
  };
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
  Rng random_;
  std::uint64_t order_ = 0;
};

}  // namespace legion::dispatch
