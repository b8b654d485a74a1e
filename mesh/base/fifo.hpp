// A queue of one thread that keeps its memory.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <legion/base/assert.hpp>

namespace legion {

/// First in, first out, in a ring that doubles when it is full and never shrinks: unlike std::deque it allocates nothing
/// once it has reached its largest size. Values that were popped stay constructed, moved from.
template <class T>
class Fifo {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  T& front() { return at(0); }
  T& back() { return at(size_ - 1); }

  T& push_back(T value) {
    if (size_ == capacity_) grow();
    T& slot = cells_[(head_ + size_) & (capacity_ - 1)];
    slot = std::move(value);
    ++size_;
    return slot;
  }
  T pop_front() {
    T value = std::move(front());
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
    return value;
  }

 private:
  static constexpr std::size_t capacity_min = 4;

  T& at(std::size_t index) {
    LEGION_ASSERT(index < size_);
    return cells_[(head_ + index) & (capacity_ - 1)];
  }
  void grow() {
    const std::size_t capacity = capacity_ == 0 ? capacity_min : 2 * capacity_;
    auto cells = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i) cells[i] = std::move(at(i));
    cells_ = std::move(cells);
    head_ = 0;
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> cells_;
  std::size_t capacity_ = 0;  // a power of two
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace legion
