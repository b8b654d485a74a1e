// G6: what a spool has, and what was confirmed, was handed to every durable subscription it is for.
#include <algorithm>
#include <map>
#include <set>

#include "checks.hpp"

namespace legion::sim {

namespace {

class AtLeastOnce {
  using Beginnings = std::map<StreamNo, std::uint64_t>;

 public:
  AtLeastOnce(const Evidence& evidence, Violations& violations) : evidence_(evidence), violations_(violations) {
    for (const StoreContents& store : evidence.stores) {
      for (const auto& [place, stored] : store.events) {
        if (stored.tag != 0 && is_served(place, stored)) due_[place] = stored.tag;
      }
    }
    for (const Publishing& one : evidence.history.publishings) {
      if (one.place && one.confirmed && !is_excused(one)) due_[*one.place] = one.tag;
    }
    for (const LetterRecord& letter : evidence.letters) letters_.insert(letter.key());
  }

  void judge(std::uint32_t subscription) {
    const SubscriptionPlan& drawn = evidence_.plan.subscriptions[subscription];
    if (drawn.durable.empty() || evidence_.was_disturbed(subscription)) return;
    const bool from_now = drawn.start == SubscriptionPlan::Start::Now;
    const bool trimmed = evidence_.plan.retain_for.has_value();
    if ((from_now || trimmed) && !evidence_.history.store_losses.empty())
      return;  // with its cursor goes where it began
    const Beginnings beginnings = from_now ? recorded_beginning(drawn) : Beginnings{};
    const Beginnings met = trimmed ? first_met(subscription) : Beginnings{};
    const Filter filter = evidence_.plan.filter(subscription);
    for (const auto& [place, tag] : due_) {
      const std::string& type = evidence_.history.streams[place.stream].type;
      if (is_reserved(type) || !filter.matches(type)) continue;
      // Where a store trims, the beginning is what it still had.
      const auto first = met.find(place.stream);
      if (trimmed && (first == met.end() || place.sequence < first->second)) continue;
      const auto begins = beginnings.find(place.stream);
      if (begins != beginnings.end() && place.sequence < begins->second) continue;
      if (was_served(subscription, place) || violations_.size() >= violations_per_check_max) continue;
      violations_.push_back({"G6 at least once", "never handed to durable subscription " +
                                                     std::to_string(subscription) + " (" + drawn.durable + ") of " +
                                                     evidence_.agent_of(subscription) + '\n' +
                                                     evidence_.history.story(place)});
    }
  }

 private:
  /// What waits for a confirm that never came is served by nobody.
  bool is_served(const Place& place, const StoreContents::Stored& stored) const {
    if (stored.held_for == 0) return true;
    const auto copies = std::ranges::count_if(evidence_.stores,
                                              [&](const StoreContents& store) { return store.events.contains(place); });
    return copies >= stored.held_for;
  }

  /// Confirmed, and so many stores were lost since that none may have it.
  bool is_excused(const Publishing& one) const {
    return evidence_.stores_lost_after(*one.confirmed) >= evidence_.plan.types[one.type].spools;
  }

  /// Of one that begins at now: one record with the tails of all streams there were; others begin at 1. A node that was
  /// killed may have written it twice under one generation, of which the higher numbers count.
  Beginnings recorded_beginning(const SubscriptionPlan& drawn) const {
    Beginnings begins;
    for (const StoreContents& store : evidence_.stores) {
      for (const auto& [origin, records] : store.records) {
        for (const SpoolRecord& record : records) {
          const auto* cursor = std::get_if<CursorRecord>(&record);
          if (cursor == nullptr || cursor->subscription != drawn.durable) continue;
          if (cursor->form != CursorRecord::Form::Whole || cursor->generation.counter != 1) continue;
          for (const StreamCursor& stream : cursor->streams) {
            std::uint64_t& first = begins[evidence_.history.stream_of(stream.stream)];
            first = std::max(first, stream.done + 1);
          }
        }
      }
    }
    return begins;
  }

  /// The first that was handed over, by stream.
  Beginnings first_met(std::uint32_t subscription) const {
    Beginnings begins;
    for (const Evidence::Handed& handed : evidence_.handed()) {
      if (handed.subscription != subscription) continue;
      const auto [found, fresh] = begins.try_emplace(handed.place.stream, handed.place.sequence);
      if (!fresh) found->second = std::min(found->second, handed.place.sequence);
    }
    return begins;
  }

  /// What every store may have had is gone: each was lost at a moment for which this holds.
  template <class IsSince>
  bool every_store_was_lost(IsSince is_since) const {
    for (std::size_t spool = 0; spool < evidence_.plan.hosts.size(); ++spool) {
      const bool was_lost = std::ranges::any_of(evidence_.history.store_losses, [&](const History::StoreLoss& loss) {
        return loss.host == spool && is_since(loss.at);
      });
      if (evidence_.plan.hosts[spool].spool && !was_lost) return false;
    }
    return true;
  }

  bool was_served(std::uint32_t subscription, const Place& place) const {
    const SubscriptionPlan& drawn = evidence_.plan.subscriptions[subscription];
    for (const std::size_t number : evidence_.hand_overs(subscription, place)) {
      const HandOver& one = evidence_.at(number);
      if (evidence_.answered(one) && one.ending != Ending::Retry) return true;
      if (evidence_.letter_may_be_lost(one)) return true;
    }
    if (letters_.contains(evidence_.history.id_text(place) + ' ' + evidence_.agent_of(subscription))) return true;
    // Dead before it came to this host, and the letter went with the stores.
    if (every_store_was_lost([&](SteadyTime at) { return evidence_.had_expired(place, drawn.host, at); })) return true;
    // A gate may have decided for it: stop and reject need no letter here; that of a gate that failed may be lost.
    for (const std::uint32_t gate : evidence_.gates_for(drawn.host, evidence_.history.streams[place.stream].type)) {
      for (const std::size_t number : evidence_.hand_overs(gate, place)) {
        const HandOver& one = evidence_.at(number);
        if (evidence_.answered(one) && (one.ending == Ending::Stop || one.ending == Ending::Reject)) return true;
        const bool is_used_up = evidence_.failed(one) && one.attempt >= evidence_.handler(gate).retry.max_attempts;
        if (is_used_up && every_store_was_lost([&](SteadyTime at) { return at >= one.at; })) return true;
      }
    }
    return was_stopped_before(drawn, place);
  }

  /// An earlier tier of the node said stop.
  bool was_stopped_before(const SubscriptionPlan& drawn, const Place& place) const {
    for (std::uint32_t i = 0; i < evidence_.plan.subscriptions.size(); ++i) {
      const SubscriptionPlan& other = evidence_.plan.subscriptions[i];
      if (other.host != drawn.host || other.tier >= drawn.tier) continue;
      for (const std::size_t number : evidence_.hand_overs(i, place)) {
        if (evidence_.at(number).ending == Ending::Stop) return true;
      }
    }
    return false;
  }

  const Evidence& evidence_;
  Violations& violations_;
  std::map<Place, Tag> due_;
  std::set<std::string> letters_;  // event and agent: one for all subscriptions of an agent
};

}  // namespace

void check_at_least_once(const Evidence& evidence, Violations& violations) {
  if (!evidence.converged) return;
  AtLeastOnce check(evidence, violations);
  for (std::uint32_t i = 0; i < evidence.plan.subscriptions.size(); ++i) check.judge(i);
}

}  // namespace legion::sim
