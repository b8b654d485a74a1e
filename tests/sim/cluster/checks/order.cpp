// G2: events of a stream are handed over in their order.
#include <map>
#include <tuple>

#include "checks.hpp"

namespace legion::sim {

namespace {

class OrderCheck {
 public:
  OrderCheck(const Evidence& evidence, Violations& violations) : evidence_(evidence), violations_(violations) {}

  void judge(std::size_t number) {
    const HandOver& one = evidence_.at(number);
    const HandlerPlan& handler = evidence_.handler(one.subscription);
    if (handler.concurrency > 1 && one.key.empty()) return;
    if (is_exempt(one) || evidence_.is_shared(one.subscription)) return;
    const std::tuple domain(one.life, one.subscription, one.place.stream,
                            handler.concurrency > 1 ? one.key : std::string());
    if (evidence_.was_requeued(one.subscription, one.place, one.at)) {  // such a letter comes beside the stream
      const auto known = domains_.find(domain);
      if (known == domains_.end()) return;
      // .. unless its event is still on its first way and failing there.
      const HandOver& last = evidence_.at(known->second);
      if (last.place == one.place && !lets_go_on(last, one.at)) known->second = number;
      return;
    }
    const auto [found, fresh] = domains_.try_emplace(domain, number);
    if (fresh) return;
    const HandOver& before = evidence_.at(found->second);
    if (one.place.sequence < before.place.sequence) tell(before, one, "an earlier event comes after a later one");
    if (one.place.sequence > before.place.sequence && !lets_go_on(before, one.at)) {
      tell(before, one, "an event comes before the one in front of it is over");
    }
    found->second = number;
  }

 private:
  /// A gate that durable subscriptions need is asked by several ways.
  bool is_exempt(const HandOver& one) const {
    const SubscriptionPlan& drawn = evidence_.plan.subscriptions[one.subscription];
    return evidence_.was_disturbed(one.subscription) || (drawn.is_gate() && evidence_.has_durable(drawn.host));
  }

  /// Whether what stands behind `one` may be handed over at `at`.
  bool lets_go_on(const HandOver& one, SteadyTime at) const {
    const auto over = evidence_.over_at(one);
    if (!over || *over > at) return false;
    if (!evidence_.failed(one)) return true;
    const std::uint32_t max = evidence_.handler(one.subscription).retry.max_attempts;
    return one.attempt >= max ||
           evidence_.had_expired(one.place, evidence_.plan.subscriptions[one.subscription].host, at);
  }

  void tell(const HandOver& before, const HandOver& one, const char* what) {
    if (violations_.size() >= violations_per_check_max) return;
    violations_.push_back({"G2 order", std::string(what) + " at " + evidence_.agent_of(one.subscription) +
                                           ", subscription " + std::to_string(one.subscription) + ", at " +
                                           text_of(one.at) + '\n' + evidence_.history.story(before.place) +
                                           evidence_.history.story(one.place)});
  }

  const Evidence& evidence_;
  Violations& violations_;
  std::map<std::tuple<LifeNo, std::uint32_t, StreamNo, std::string>, std::size_t> domains_;
};

}  // namespace

void check_order(const Evidence& evidence, Violations& violations) {
  OrderCheck check(evidence, violations);
  for (std::size_t i = 0; i < evidence.history.hand_overs.size(); ++i) check.judge(i);
}

}  // namespace legion::sim
