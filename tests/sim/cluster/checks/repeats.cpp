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
      if (!evidence_.failed(before)) return "handed over again in the same life, though it had been handled";
      if (one.attempt != before.attempt + 1) return "the attempts of one life do not follow each other";
      return "";
    }
    if (!evidence_.is_durable(one.subscription)) return "a plain subscription was handed an event in two lives";
    return "";
  }

  void tell(const HandOver& one, const char* what) {
    if (violations_.size() >= violations_per_check_max) return;
    violations_.push_back({"no repeats", std::string(what) + ": subscription " + std::to_string(one.subscription) + " of " +
                                             evidence_.agent_of(one.subscription) + " at " + text_of(one.at) + '\n' +
                                             evidence_.history.story(one.place)});
  }

  const Evidence& evidence_;
  Violations& violations_;
};

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
    violations.push_back({"ids", "another event than the one published under this id\n" + evidence.history.story(one.place)});
  }
}

}  // namespace

void check_repeats(const Evidence& evidence, Violations& violations) {
  for (const std::string& oddity : evidence.history.oddities) violations.push_back({"what was published", oddity});
  if (violations.size() > violations_per_check_max) violations.resize(violations_per_check_max);
  RepeatCheck check(evidence, violations);
  for (const Evidence::Handed& handed : evidence.handed()) check.judge(handed);
  check_ids(evidence, violations);
}

}  // namespace legion::sim
