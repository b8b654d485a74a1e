// One received stream and what the subscriptions count on it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <legion/core/ledger.hpp>
#include <legion/core/sequence.hpp>

namespace legion {

inline constexpr std::uint64_t not_booked = UINT64_MAX;

struct LedgerLife;

struct LedgerStream {
  LedgerLife* life = nullptr;
  Priority lane = Priority::Normal;
  std::uint8_t shard = 0;
  std::string type;
  StreamNumber number = 0;
  std::size_t position = 0;        ///< in the lane of its life
  std::uint64_t next = 1;          ///< everything below has arrived or is counted as missing
  std::uint64_t foreign_tail = 0;  ///< highest tail another member knows; counts once the life is over
  std::uint64_t generation = 0;    ///< of the subscriptions when `routes` was made
  std::vector<LedgerRoute> routes;
  std::vector<std::uint64_t> lost_link;  ///< parallel to routes

  /// Moves the expectation up to `tail`. Everything between is missing and counts for whoever books it. Returns how
  /// many events at least one subscription lost.
  std::uint64_t miss_up_to(std::uint64_t tail);
  /// Routes without a baseline get it here: what comes next is the first event in their books.
  void book_from_here(LedgerSubscription begin, LedgerSubscription end);
  /// published, lost(link) and lost(origin_died) of routes[index].
  Books books(std::size_t index) const;
  /// Adds them to `out`, without touching what is not the ledger's.
  void add_books(std::size_t index, Books& out) const;
};

/// One incarnation of an origin.
struct LedgerLife {
  struct Lane {
    /// Subscriptions below this index have their baseline here: the subscriptions there were when a sync began that has
    /// been answered completely.
    LedgerSubscription covered = 0;
    bool synced = false;
    std::vector<std::unique_ptr<LedgerStream>> streams;
  };
  Origin origin;
  SteadyTime known_since;
  bool own = false;
  bool over = false;  ///< a higher incarnation exists
  bool dead = false;  ///< declared dead; the same incarnation may come back
  /// A stream was refused here. One that appears later may be that one, so its beginning is not taken for 1.
  bool overflowed = false;
  std::size_t stream_count = 0;
  std::array<Lane, limits::lane_count> lanes;
};

}  // namespace legion
