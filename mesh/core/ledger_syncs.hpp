// The syncs under way: which topic is subscribed to, which parts of its echo have come.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/ledger.hpp>

namespace legion {

/// Per (origin name, lane) at most one sync is under way. Bounds: limits::streams_per_origin_max tails are kept.
class LedgerSyncs {
 public:
  struct UnderWay {
    SyncTopic topic;
    SteadyTime since;
    LedgerSubscription covers = 0;  ///< subscriptions below this index were there when it began
    Incarnation incarnation = 0;    ///< of the parts so far
    std::uint32_t next_part = 0;
    std::uint32_t patience = 1;     ///< how many times the usual wait before it is begun again
    std::vector<Tail> tails;
  };

  LedgerSyncs(std::string receiver, std::uint64_t seed) : receiver_(std::move(receiver)), rng_(seed) {}

  const SyncTopic& begin(Now now, const std::string& origin, Priority lane, LedgerSubscription covers);
  /// The sync this part is the next one of; nullptr for a foreign, late, repeated or early part, and for an echo of an
  /// incarnation below `incarnation_min`. Echoes of a higher incarnation start anew with their part 0.
  UnderWay* accept(Priority lane, const ReceivedSyncPart& part, Incarnation incarnation_min);
  /// Ends the sync under way and hands it over.
  UnderWay complete(const std::string& origin, Priority lane);
  /// Ends all syncs with this origin. No more are due until the next begin().
  void close(const std::string& origin);

  std::vector<std::pair<Priority, SyncTopic>> take_retired() { return std::exchange(retired_, {}); }

  template <class Visit>  // void(const std::string& origin, Priority lane, const UnderWay* or nullptr)
  void for_each_begun(Visit visit) const {
    for (const auto& [origin, lanes] : origins_) {
      for (const Priority lane : all_priorities) {
        const Slot& slot = lanes[lane_index(lane)];
        if (slot.begun) visit(origin, lane, slot.under_way ? &*slot.under_way : nullptr);
      }
    }
  }

 private:
  struct Slot {
    bool begun = false;
    std::optional<UnderWay> under_way;
  };
  using Lanes = std::array<Slot, limits::lane_count>;

  void retire(Priority lane, Slot& slot);

  std::string receiver_;
  Rng rng_;
  std::map<std::string, Lanes, std::less<>> origins_;
  std::vector<std::pair<Priority, SyncTopic>> retired_;
};

}  // namespace legion
