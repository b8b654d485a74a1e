// A bounded queue from many threads to one.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <legion/base/assert.hpp>

namespace legion {

/// A lock-free ring after Dmitry Vyukov's bounded queue: each cell carries the turn it is ready for.
///
/// Thread: try_push from any thread; try_pop and empty from one consumer thread; size from any.
/// Order: FIFO among values whose pushes did not overlap.
/// Bounds: `capacity` values, a power of two of at least 2, allocated once.
/// A consumer that sleeps sets its flag, fences (seq_cst), asks empty() again and only then waits; a producer pushes,
/// fences and tests the flag.
template <class T>
class BoundedRing {
 public:
  explicit BoundedRing(std::size_t capacity) : mask_(capacity - 1), cells_(std::make_unique<Cell[]>(capacity)) {
    LEGION_ASSERT(capacity >= 2 && std::has_single_bit(capacity));
    for (std::size_t i = 0; i < capacity; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }
  BoundedRing(const BoundedRing&) = delete;
  BoundedRing& operator=(const BoundedRing&) = delete;

  /// False when full; `value` is then left as it was.
  bool try_push(T&& value) {
    std::size_t at = head_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[at & mask_];
      const auto ahead = static_cast<std::ptrdiff_t>(cell.turn.load(std::memory_order_acquire) - at);
      if (ahead < 0) return false;
      if (ahead > 0) {
        at = head_.load(std::memory_order_relaxed);
        continue;
      }
      if (head_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
        cell.value.emplace(std::move(value));
        cell.turn.store(at + 1, std::memory_order_release);
        return true;
      }
    }
  }

  /// nullopt when empty, also while the next value is still being written.
  std::optional<T> try_pop() {
    const std::size_t at = tail_.load(std::memory_order_relaxed);
    Cell& cell = cells_[at & mask_];
    if (cell.turn.load(std::memory_order_acquire) != at + 1) return std::nullopt;
    std::optional<T> value(std::move(cell.value));
    cell.value.reset();
    tail_.store(at + 1, std::memory_order_relaxed);
    cell.turn.store(at + mask_ + 1, std::memory_order_release);
    return value;
  }

  /// Whether try_pop would find nothing now.
  bool empty() const {
    const std::size_t at = tail_.load(std::memory_order_relaxed);
    return cells_[at & mask_].turn.load(std::memory_order_acquire) != at + 1;
  }

  /// Approximate while other threads push or pop; never above the capacity.
  std::size_t size() const {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const auto count = static_cast<std::ptrdiff_t>(head - tail);
    if (count <= 0) return 0;
    return static_cast<std::size_t>(count) <= capacity() ? static_cast<std::size_t>(count) : capacity();
  }

  std::size_t capacity() const { return mask_ + 1; }

 private:
  static constexpr std::size_t cache_line = 64;

  struct Cell {
    std::atomic<std::size_t> turn{0};
    std::optional<T> value;
  };

  const std::size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(cache_line) std::atomic<std::size_t> head_{0};  // producers
  alignas(cache_line) std::atomic<std::size_t> tail_{0};  // the consumer
};

}  // namespace legion
