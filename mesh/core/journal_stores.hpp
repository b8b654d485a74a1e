// Which stores have how much of this node's journals. Internal to the journal.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include <legion/event/journal.hpp>

namespace legion {

/// Counts stores by their id: a store that is reachable under two names is one. A store counts for what it
/// acknowledged also while it is away, and after its node left: it is on its disk.
///
/// Bounds: stores_max; of more the one with the least is forgotten, which can only delay a confirm.
class JournalStores {
 public:
  static constexpr std::size_t stores_max = 64;

  Position has(const StoreId& store, JournalKind journal) const;
  void set(const StoreId& store, JournalKind journal, Position through);
  /// Up to here at least `count` (1 or more) stores have everything; 0 where there are not as many.
  Position on(std::size_t count, JournalKind journal) const;

 private:
  struct Known {
    StoreId id;
    std::array<Position, 2> through{};
  };
  Known& known(const StoreId& store);

  std::vector<Known> known_;
};

}  // namespace legion
