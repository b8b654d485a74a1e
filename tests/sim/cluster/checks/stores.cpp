// G3 and G8: each event in every store once, the same everywhere; confirmed ones on as many as their type asks for.
#include <algorithm>

#include "checks.hpp"

namespace legion::sim {

namespace {

void tell(const Evidence& evidence, Violations& violations, const std::string& what, const Place& place) {
  if (violations.size() >= violations_per_check_max) return;
  violations.push_back({"G3 stores", what + '\n' + evidence.history.story(place)});
}

std::string name_of(const Evidence& evidence, const StoreContents& store) {
  return evidence.plan.hosts[store.host].name;
}

void check_once(const Evidence& evidence, const StoreContents& store, Violations& violations) {
  if (!store.trouble.empty()) violations.push_back({"G8 recovery", name_of(evidence, store) + ": " + store.trouble});
  for (const auto& [place, stored] : store.events) {
    if (stored.times > 1)
      tell(evidence, violations, "stored " + std::to_string(stored.times) + " times in " + name_of(evidence, store),
           place);
    const Publishing* told = evidence.history.published_at(place);
    if (told != nullptr && stored.tag != told->tag) {
      tell(evidence, violations, "another event under this id in " + name_of(evidence, store), place);
    }
  }
}

/// What a store had once, it has; neither a void nor a repair takes it away again.
void check_kept(const Evidence& evidence, const StoreContents& store, Violations& violations) {
  for (const auto& [place, at] : evidence.stored_before[store.host]) {
    if (store.events.contains(place)) continue;
    const bool was_lost = std::ranges::any_of(
        evidence.history.store_losses, [&](const auto& loss) { return loss.host == store.host && loss.at >= at; });
    if (!was_lost) {
      tell(evidence, violations, "was in " + name_of(evidence, store) + " once, and is not there any more", place);
    }
  }
}

void check_same(const Evidence& evidence, const StoreContents& a, const StoreContents& b, Violations& violations) {
  for (const auto& [place, stored] : a.events) {
    const auto other = b.events.find(place);
    if (stored.tag == 0)
      continue;  // the last words of nodes, and records: who stops first lacks what the others say later
    if (other == b.events.end()) {
      if (evidence.converged)
        tell(evidence, violations, "in " + name_of(evidence, a) + " and not in " + name_of(evidence, b), place);
    } else if (other->second.bytes != stored.bytes) {
      tell(evidence, violations, "different bytes in " + name_of(evidence, a) + " and " + name_of(evidence, b), place);
    }
  }
}

void check_confirmed(const Evidence& evidence, const Publishing& one, Violations& violations) {
  const std::size_t wanted = evidence.plan.types[one.type].spools;
  if (!evidence.plan.retain_for && one.copies + evidence.stores_lost_after(one.at) < wanted) {
    tell(evidence, violations,
         "confirmed while " + std::to_string(one.copies) + " disks had it instead of " + std::to_string(wanted),
         *one.place);
  }
  if (evidence.plan.retain_for) return;
  const std::size_t lost = evidence.stores_lost_after(*one.confirmed);
  const auto copies = static_cast<std::size_t>(std::ranges::count_if(
      evidence.stores, [&](const StoreContents& store) { return store.events.contains(*one.place); }));
  if (copies + lost >= wanted) return;
  tell(evidence, violations,
       "confirmed, and on " + std::to_string(copies) + " spools instead of " + std::to_string(wanted), *one.place);
}

}  // namespace

void check_stores(const Evidence& evidence, Violations& violations) {
  for (const StoreContents& store : evidence.stores) {
    check_once(evidence, store, violations);
    if (!evidence.plan.retain_for) check_kept(evidence, store, violations);
  }
  for (const StoreContents& a : evidence.stores) {
    for (const StoreContents& b : evidence.stores) {
      if (evidence.plan.retain_for) break;  // who trims when is each store's own
      if (&a != &b) check_same(evidence, a, b, violations);
    }
  }
  for (const Publishing& one : evidence.history.publishings) {
    if (one.confirmed && one.place) check_confirmed(evidence, one, violations);
  }
}

}  // namespace legion::sim
