// What operators do to the random world.
#include "durable_world.hpp"
#include "durable_world_rules.hpp"

namespace legion::test {

using namespace world;

/// As an operator sees them: over all spools, so all have to answer.
const LetterRecord* DurableWorld::some_letter(Letters which) {
  letters_seen_.clear();
  for (const auto& [name, spool] : kit_->spools) {
    if (!spool.reachable) return nullptr;
    for (const auto& [key, letter] : spool.letters) {
      const auto [entry, is_new] = letters_seen_.try_emplace(key, letter);
      if (!is_new && holds_over(letter, entry->second)) entry->second = letter;
    }
  }
  if (which == Letters::Dead) std::erase_if(letters_seen_, [](const auto& entry) { return entry.second.state != LetterState::Dead; });
  if (letters_seen_.empty()) return nullptr;
  return &std::next(letters_seen_.begin(), static_cast<std::ptrdiff_t>(random_.below(letters_seen_.size())))->second;
}

void DurableWorld::requeue_one() {
  const LetterRecord* letter = some_letter(random_.chance(0.8) ? Letters::Dead : Letters::All);
  if (letter == nullptr) return;
  const EventId id = EventId::parse(letter->event).value();
  const StreamId stream{{id.node, id.incarnation}, id.lane, id.type, id.shard};
  if (random_.chance(0.7) && letter->state == LetterState::Dead) {
    if (!letter->subscription.empty())
      story(subscription_named(letter->subscription), stream, id.sequence).is_fixed = true;
    gate_is_fixed_.insert({stream, id.sequence});
  }
  ++tally_.requeues;
  ++requests_of_life_;
  kit_->durable.on_requeue(kit_->now, ++requests_, *letter);
  kit_->drain();
}

void DurableWorld::purge_one() {
  const LetterRecord* letter = some_letter(Letters::Dead);
  if (letter == nullptr) return;
  ++requests_of_life_;
  kit_->durable.on_purge(kit_->now, ++requests_, *letter);
  kit_->drain();
}

/// Someone begins a subscription anew, removes it, or gives up what a stream lacks.
void DurableWorld::operate() {
  const auto subscription = static_cast<std::uint32_t>(orders + random_.below(3));
  const std::string name = name_of(subscription);
  ++requests_of_life_;
  ++requests_;
  const std::uint64_t choice = random_.below(10);
  if (choice < 6) {
    if (all_.empty()) return static_cast<void>(--requests_of_life_);
    const auto& [stream, end] = all_[random_.below(all_.size())];
    const auto through = random_.chance(0.7) ? std::nullopt : std::optional(1 + random_.below(end));
    kit_->durable.on_skip(kit_->now, requests_, name, stream, through);
  } else if (choice < 8) {
    disturb(subscription);
    kit_->durable.on_remove(kit_->now, requests_, name);
  } else {
    disturb(subscription);
    kit_->durable.on_reset(kit_->now, requests_, name, StartBeginning{});
  }
  kit_->drain();
}

/// What is under way goes on beside what begins anew, and what was tried before is not known to it.
void DurableWorld::disturb(std::uint32_t subscription) {
  disturbed_.insert(subscription);
  for (auto& [what, story] : stories_) {
    if (std::get<0>(what) == subscription) story.is_uncertain = true;
  }
}

}  // namespace legion::test
