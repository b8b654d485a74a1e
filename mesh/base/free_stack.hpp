// A bounded pile of things to be used again, shared by threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace legion {

/// Keeps up to `capacity` values that somebody is done with until somebody needs one. The last one pushed is the first
/// one popped: it is the one most likely to be in a cache still.
///
/// Thread: any. The lock is held for a few instructions.
/// Bounds: `capacity` values, allocated once.
template <class T>
class FreeStack {
 public:
  struct Rest {
    std::unique_ptr<T[]> values;
    std::uint32_t count = 0;
  };

  explicit FreeStack(std::uint32_t capacity) : capacity_(capacity), rest_{std::make_unique<T[]>(capacity)} {}
  FreeStack(const FreeStack&) = delete;
  FreeStack& operator=(const FreeStack&) = delete;

  /// False when full or closed; `value` is then left as it was.
  bool try_push(T&& value) {
    const std::lock_guard lock(mutex_);
    const bool has_room = rest_.count < capacity_;
    if (has_room) rest_.values[rest_.count++] = std::move(value);
    return has_room;
  }

  /// False when empty; `value` is then left as it was.
  bool try_pop(T& value) {
    const std::lock_guard lock(mutex_);
    const bool has_value = rest_.count > 0;
    if (has_value) value = std::move(rest_.values[--rest_.count]);
    return has_value;
  }

  /// Takes everything; from here on nothing is kept.
  Rest close() {
    const std::lock_guard lock(mutex_);
    capacity_ = 0;
    return std::exchange(rest_, {});
  }

 private:
  alignas(64) std::mutex mutex_;  // guards what follows
  std::uint32_t capacity_;
  Rest rest_;
};

}  // namespace legion
