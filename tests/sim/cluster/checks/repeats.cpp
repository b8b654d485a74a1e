// Nothing comes twice but for a reason, and nothing comes that nobody published.
#include <algorithm>
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
    if (evidence_.was_disturbed(handed.subscription) || evidence_.is_shared(handed.subscription)) return;
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
      if (!evidence_.failed(before) && !evidence_.is_uncertain(before))
        return "handed over again in the same life, though it had been handled";
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

/// How often a gate may be asked in a life of its node for another reason than a requeue of `since`: by durable
/// subscriptions behind it that take the event each on its own, and are not beyond it when the command comes.
std::int64_t asked_besides(const Evidence& evidence, std::uint32_t gate, const Place& place, LifeNo life,
                           SteadyTime since) {
  const std::string type(original_type(evidence.history.streams[place.stream].type));
  const auto is_before = [&](const HandOver& one) { return one.life == life && one.at <= since; };
  std::int64_t asked = 0;
  for (const std::size_t number : evidence.hand_overs(gate, place)) asked += is_before(evidence.at(number)) ? 1 : 0;
  if (asked == 0) asked = 1;  // when it arrives
  for (std::uint32_t i = 0; i < evidence.plan.subscriptions.size(); ++i) {
    const bool is_behind = evidence.plan.subscriptions[i].host == evidence.plan.subscriptions[gate].host &&
                           evidence.is_durable(i) && evidence.plan.filter(i).matches(type);
    if (!is_behind) continue;
    const bool is_beyond = std::ranges::any_of(evidence.history.hand_overs, [&](const HandOver& one) {
      return one.subscription == i && one.place.stream == place.stream && one.place.sequence > place.sequence &&
             is_before(one);
    });
    asked += is_beyond ? 0 : 1;
  }
  return asked;
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
      std::int64_t earlier = 0;
      SteadyTime first = again.at;
      for (const Operation& one : evidence.history.operations) {
        if (one.what != "requeue" || !one.ok || !evidence.asks_again(one, i, again.subject)) continue;
        ++earlier;
        first = std::min(first, one.at);
      }
      const bool is_gate = evidence.plan.subscriptions[i].is_gate();
      std::map<LifeNo, std::int64_t> handled;
      for (const std::size_t number : evidence.hand_overs(i, place)) {
        const HandOver& one = evidence.at(number);
        if (evidence.answered(one) && one.ending != Ending::Retry) ++handled[one.life];
      }
      for (const auto& [life, times] : handled) {
        const std::int64_t besides = is_gate ? asked_besides(evidence, i, place, life, first) : 1;
        if (times <= earlier + besides || violations.size() >= violations_per_check_max) continue;
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
