// What origins that are gone said they had published, for whoever has still to count it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include <legion/core/messages.hpp>

namespace legion {

/// The ledger keeps only streams somebody here subscribed to, and of one that left only as long as its links are read. An
/// observer that was slow asks later, and about streams nobody here ever wanted.
///
/// Thread: the loop's. Bounds: `tails_max` tails in all; the origin that was told first goes first.
class LastWords {
 public:
  explicit LastWords(std::size_t tails_max = 65536) : tails_max_(tails_max) {}

  /// What is known of `origin` grows: the higher next sequence of a stream holds.
  void add(const Origin& origin, Priority lane, const std::vector<Tail>& tails);
  std::vector<Tail> tails(const Origin& origin, Priority lane) const;

 private:
  struct Entry {
    Origin origin;
    LaneTails lanes;
    std::size_t count = 0;
  };
  std::size_t tails_max_;
  std::size_t count_ = 0;
  std::deque<Entry> entries_;  // oldest first
};

/// Of both, per (type, shard) the one with the higher next sequence. `into` keeps its order.
void merge_tails(std::vector<Tail>& into, const std::vector<Tail>& more);

}  // namespace legion
