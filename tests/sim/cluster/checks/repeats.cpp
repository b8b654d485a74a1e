// Nothing comes twice but for a reason, and nothing comes that nobody published.
#include <map>
#include <utility>

#include "checks.hpp"

namespace legion::sim {

namespace {

class RepeatCheck {
 public:
  RepeatCheck(const Evidence& evidence, Violations& violations) : evidence_(evidence), violations_(violations) {}

  void judge(const Evidence::Handed& handed) {
    const SubscriptionPlan& drawn = evidence_.plan.subscriptions[handed.subscription];
    // A gate is asked by each of the ways an event takes to a durable subscription.
    if (drawn.is_gate() && evidence_.has_durable(drawn.host)) return;
    if (evidence_.was_disturbed(handed.subscription)) return;
    for (std::size_t i = 1; i < handed.numbers.size(); ++i) {
      const HandOver& before = evidence_.at(handed.numbers[i - 1]);
      const HandOver& one = evidence_.at(handed.numbers[i]);
      if (evidence_.was_requeued(handed.subscription, handed.place, one.at)) return;
      if (const char* wrong = judge(before, one); *wrong != '\0') return tell(one, wrong);
    }
  }

 private:
  const char* judge(const HandOver& before, const HandOver& one) const {
    if (before.life == one.life) {
      if (evidence_.is_uncertain(before)) return "";
      if (!evidence_.failed(before)) return "handed over again in the same life, though it had been handled";
      if (one.attempt != before.attempt + 1) return "the attempts of one life do not follow each other";
      return "";
    }
    if (!evidence_.is_durable(one.subscription)) return "a plain subscription was handed an event in two lives";
    return "";
  }

  void tell(const HandOver& one, const char* what) {
    if (violations_.size() >= violations_per_check_max) return;
    violations_.push_back({"no repeats", std::string(what) + ": subscription " + std::to_string(one.subscription) +
                                             " of " + evidence_.agent_of(one.subscription) + " at " + text_of(one.at) +
                                             '\n' + evidence_.history.story(one.place)});
  }

  const Evidence& evidence_;
  Violations& violations_;
};

/// The ways by which an event comes to this subscription once in each life of its node. A gate is asked when the event
/// arrives, and by each durable subscription behind it that takes the event later; so the letter of one that rejects
/// can be requeued before the last of them has asked, or behind it, and neither says anything of the command.
std::int64_t ways_to(const Evidence& evidence, std::uint32_t subscription, const Place& place) {
  const SubscriptionPlan& drawn = evidence.plan.subscriptions[subscription];
  if (!drawn.is_gate()) return 1;
  const std::string type(original_type(evidence.history.streams[place.stream].type));
  std::int64_t ways = 1;
  for (std::uint32_t i = 0; i < evidence.plan.subscriptions.size(); ++i) {
    if (evidence.plan.subscriptions[i].host != drawn.host || !evidence.is_durable(i)) continue;
    ways += evidence.plan.filter(i).matches(type) ? 1 : 0;
  }
  return ways;
}

/// A repeated command changes nothing: after one requeue an event is begun with once more in a life of its node.
void check_requeues(const Evidence& evidence, Violations& violations) {
  for (const Operation& again : evidence.history.operations) {
    if (again.what != "requeue again" || !again.ok) continue;
    const auto id = EventId::parse(again.subject);
    if (!id) continue;
    const Place place = evidence.history.place_of(*id);
    for (std::uint32_t i = 0; i < evidence.plan.subscriptions.size(); ++i) {
      if (evidence.agent_of(i) != again.subscription) continue;
      // The letter was over before the command came again, and the event came again all the same.
      const auto earlier = std::ranges::count_if(evidence.history.operations, [&](const Operation& one) {
        return one.what == "requeue" && one.ok && evidence.asks_again(one, i, again.subject);
      });
      std::map<LifeNo, std::int64_t> handled;
      for (const std::size_t number : evidence.hand_overs(i, place)) {
        const HandOver& one = evidence.at(number);
        if (evidence.answered(one) && one.ending != Ending::Retry) ++handled[one.life];
      }
      for (const auto& [life, times] : handled) {
        if (times <= earlier + ways_to(evidence, i, place) || violations.size() >= violations_per_check_max) continue;
        violations.push_back({"requeues", "handled " + std::to_string(times) + " times in one life after " +
                                              std::to_string(earlier) + " requeues\n" + evidence.history.story(place)});
      }
    }
  }
}

/// Every id was given once, and what is handed over under it is what was published under it.
void check_ids(const Evidence& evidence, Violations& violations) {
  std::map<Place, Tag> numbered;
  for (const Publishing& one : evidence.history.publishings) {
    if (!one.place) continue;
    const auto [found, fresh] = numbered.try_emplace(*one.place, one.tag);
    if (!fresh && found->second != one.tag) {
      violations.push_back({"ids", "two events were given one id\n" + evidence.history.story(*one.place)});
    }
  }
  for (const HandOver& one : evidence.history.hand_overs) {
    if (one.tag == 0 || one.replayed || violations.size() >= violations_per_check_max) continue;
    const auto found = numbered.find(one.place);
    if (found == numbered.end() || found->second == one.tag) continue;
    violations.push_back(
        {"ids", "another event than the one published under this id\n" + evidence.history.story(one.place)});
  }
}

}  // namespace

void check_repeats(const Evidence& evidence, Violations& violations) {
  for (const std::string& oddity : evidence.history.oddities) violations.push_back({"what was published", oddity});
  if (violations.size() > violations_per_check_max) violations.resize(violations_per_check_max);
  RepeatCheck check(evidence, violations);
  for (const Evidence::Handed& handed : evidence.handed()) check.judge(handed);
  check_ids(evidence, violations);
  check_requeues(evidence, violations);
}

}  // namespace legion::sim
