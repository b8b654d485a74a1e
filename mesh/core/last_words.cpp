#include <legion/core/last_words.hpp>

#include <algorithm>
#include <unordered_map>

#include <legion/core/stream_name.hpp>

namespace legion {

void merge_tails(std::vector<Tail>& into, const std::vector<Tail>& more) {
  std::unordered_map<StreamName, std::size_t, StreamNameHash, StreamNameEqual> place;
  for (std::size_t i = 0; i < into.size(); ++i) place.emplace(StreamName{into[i].type, into[i].shard}, i);
  for (const Tail& tail : more) {
    const auto [found, fresh] = place.emplace(StreamName{tail.type, tail.shard}, into.size());
    if (fresh) {
      into.push_back(tail);
    } else {
      std::uint64_t& next = into[found->second].next_sequence;
      next = std::max(next, tail.next_sequence);
    }
  }
}

void LastWords::add(const Origin& origin, Priority lane, const std::vector<Tail>& tails) {
  if (tails.empty()) return;
  auto entry = std::ranges::find(entries_, origin, &Entry::origin);
  if (entry == entries_.end()) entry = entries_.insert(entries_.end(), Entry{.origin = origin, .lanes = {}});
  std::vector<Tail>& known = entry->lanes[lane_index(lane)];
  const std::size_t before = known.size();
  merge_tails(known, tails);
  entry->count += known.size() - before;
  count_ += known.size() - before;
  while (count_ > tails_max_ && entries_.size() > 1) {
    count_ -= entries_.front().count;
    entries_.pop_front();
  }
}

std::vector<Tail> LastWords::tails(const Origin& origin, Priority lane) const {
  const auto entry = std::ranges::find(entries_, origin, &Entry::origin);
  return entry == entries_.end() ? std::vector<Tail>{} : entry->lanes[lane_index(lane)];
}

}  // namespace legion
