// Records addressed by index, and lists threaded through them: no allocation per event once warm.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <legion/base/assert.hpp>

namespace legion::dispatch {

using Index = std::uint32_t;
inline constexpr Index no_index = 0xFFFFFFFF;

/// Ownership: owns its records; a reference stays valid until the record is given back.
/// Bounds: grows to the largest number of records in use at once, never shrinks.
template <class Record>
class Pool {
 public:
  Index take() {
    if (free_.empty()) grow();
    const Index index = free_.back();
    free_.pop_back();
    live_[index] = 1;
    ++live_count_;
    return index;
  }
  void give_back(Index index) {
    LEGION_ASSERT(is_live(index));
    (*this)[index] = Record{};
    live_[index] = 0;
    --live_count_;
    free_.push_back(index);
  }
  Record& operator[](Index index) { return chunks_[index / chunk_records][index % chunk_records]; }
  const Record& operator[](Index index) const { return chunks_[index / chunk_records][index % chunk_records]; }
  bool is_live(Index index) const { return index < live_.size() && live_[index] != 0; }
  std::size_t live_count() const { return live_count_; }
  /// Every index is below.
  Index end() const { return static_cast<Index>(live_.size()); }

 private:
  static constexpr std::size_t chunk_records = 256;

  void grow() {
    const Index first = end();
    chunks_.push_back(std::make_unique<Record[]>(chunk_records));
    live_.resize(live_.size() + chunk_records, 0);
    for (Index i = chunk_records; i > 0; --i) free_.push_back(first + i - 1);
  }

  std::vector<std::unique_ptr<Record[]>> chunks_;
  std::vector<std::uint8_t> live_;
  std::vector<Index> free_;
  std::size_t live_count_ = 0;
};

struct Links {
  Index prev = no_index;
  Index next = no_index;
};

/// A doubly linked list through the member `links` of the records of a pool.
template <class Record, Links Record::*links>
struct List {
  Index head = no_index;
  Index tail = no_index;
  std::size_t size = 0;

  bool empty() const { return head == no_index; }

  void push_back(Pool<Record>& pool, Index index) {
    pool[index].*links = {tail, no_index};
    (tail == no_index ? head : (pool[tail].*links).next) = index;
    tail = index;
    ++size;
  }
  void push_front(Pool<Record>& pool, Index index) {
    pool[index].*links = {no_index, head};
    (head == no_index ? tail : (pool[head].*links).prev) = index;
    head = index;
    ++size;
  }
  void insert_after(Pool<Record>& pool, Index before, Index index) {
    const Index after = (pool[before].*links).next;
    pool[index].*links = {before, after};
    (pool[before].*links).next = index;
    (after == no_index ? tail : (pool[after].*links).prev) = index;
    ++size;
  }
  void remove(Pool<Record>& pool, Index index) {
    LEGION_ASSERT(size > 0);
    const Links at = pool[index].*links;
    (at.prev == no_index ? head : (pool[at.prev].*links).next) = at.next;
    (at.next == no_index ? tail : (pool[at.next].*links).prev) = at.prev;
    pool[index].*links = {};
    --size;
  }
  static Index next(const Pool<Record>& pool, Index index) { return (pool[index].*links).next; }
  static Index prev(const Pool<Record>& pool, Index index) { return (pool[index].*links).prev; }
};

}  // namespace legion::dispatch
