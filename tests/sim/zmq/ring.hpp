// A queue in one piece of memory: the simulated network puts millions of messages through such queues.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace legion::sim {

/// Bounds: grows by doubling, gives its memory back when it runs empty after it was long.
template <class T>
class Ring {
 public:
  Ring() = default;
  Ring(Ring&& other) noexcept { *this = std::move(other); }
  Ring& operator=(Ring&& other) noexcept {
    std::swap(places_, other.places_);
    std::swap(capacity_, other.capacity_);
    std::swap(first_, other.first_);
    std::swap(size_, other.size_);
    return *this;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return places_[(first_ + i) & (capacity_ - 1)]; }
  const T& operator[](std::size_t i) const { return places_[(first_ + i) & (capacity_ - 1)]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  void push_back(T&& value) {
    if (size_ == capacity_) grow();
    (*this)[size_++] = std::move(value);
  }
  T pop_front() {
    T value = std::move(front());  // leaves an empty one
    first_ = (first_ + 1) & (capacity_ - 1);
    if (--size_ == 0 && capacity_ > kept_max) *this = Ring{};
    return value;
  }
  void pop_back() {
    back() = T{};
    --size_;
  }
  void clear() { *this = Ring{}; }

 private:
  static constexpr std::size_t kept_max = 1024;

  void grow() {
    const std::size_t capacity = capacity_ == 0 ? 8 : capacity_ * 2;
    auto places = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i) places[i] = std::move((*this)[i]);
    places_ = std::move(places);
    capacity_ = capacity;
    first_ = 0;
  }

  std::unique_ptr<T[]> places_;
  std::size_t capacity_ = 0;  // a power of two
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace legion::sim
