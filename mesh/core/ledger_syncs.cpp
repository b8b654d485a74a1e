#include <legion/core/ledger_syncs.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>

namespace legion {

namespace {

constexpr std::uint32_t patience_max = 4;

}  // namespace

const SyncTopic& LedgerSyncs::begin(Now now, const std::string& origin, Priority lane, LedgerSubscription covers) {
  Slot& slot = origins_[origin][lane_index(lane)];
  const std::uint64_t previous = slot.under_way ? slot.under_way->topic.nonce : 0;
  // Each goes to every peer: when many nodes on a busy machine are late, asking again at the same pace makes them later.
  const std::uint32_t patience = slot.under_way ? std::min(slot.under_way->patience * 2, patience_max) : 1;
  retire(lane, slot);
  std::uint64_t nonce = rng_.next();
  while (nonce == 0 || nonce == previous) nonce = rng_.next();
  slot.begun = true;
  slot.under_way = UnderWay{
      .topic = {origin, receiver_, nonce}, .since = now.steady, .covers = covers, .patience = patience, .tails = {}};
  return slot.under_way->topic;
}

LedgerSyncs::UnderWay* LedgerSyncs::accept(Priority lane, const ReceivedSyncPart& received,
                                           Incarnation incarnation_min) {
  const SyncPart& part = received.part;
  const auto found = origins_.find(received.topic.origin);
  if (found == origins_.end()) return nullptr;
  std::optional<UnderWay>& sync = found->second[lane_index(lane)].under_way;
  if (!sync || sync->topic != received.topic) return nullptr;
  if (part.lane != lane || part.origin.node != received.topic.origin) return nullptr;
  if (part.origin.incarnation == 0 || part.origin.incarnation < incarnation_min) return nullptr;

  // The topic outlives the origin: the next incarnation sees the same subscription and answers it from the beginning.
  const bool anew = part.part == 0 && part.origin.incarnation > sync->incarnation;
  if (anew) {
    sync->incarnation = part.origin.incarnation;
    sync->next_part = 0;
    sync->tails.clear();
  }
  if (part.origin.incarnation != sync->incarnation || part.part != sync->next_part) return nullptr;
  ++sync->next_part;
  return &*sync;
}

LedgerSyncs::UnderWay LedgerSyncs::complete(const std::string& origin, Priority lane) {
  Slot& slot = origins_[origin][lane_index(lane)];
  LEGION_ASSERT(slot.under_way.has_value());
  UnderWay done = *std::move(slot.under_way);
  slot.under_way.reset();
  retired_.emplace_back(lane, done.topic);
  return done;
}

void LedgerSyncs::close(const std::string& origin) {
  const auto found = origins_.find(origin);
  if (found == origins_.end()) return;
  for (const Priority lane : all_priorities) retire(lane, found->second[lane_index(lane)]);
  origins_.erase(found);
}

void LedgerSyncs::retire(Priority lane, Slot& slot) {
  if (!slot.under_way) return;
  retired_.emplace_back(lane, std::move(slot.under_way->topic));
  slot.under_way.reset();
}

}  // namespace legion
