#include "evidence.hpp"

#include <algorithm>

#include "kernel/kernel.hpp"

namespace legion::sim {

Evidence::Evidence(const Plan& the_plan, History& the_history) : plan(the_plan), history(the_history) {}

void Evidence::index() {
  for (std::size_t i = 0; i < history.hand_overs.size(); ++i) {
    const HandOver& one = history.hand_overs[i];
    const auto [found, fresh] = handed_places_.try_emplace({one.subscription, one.place}, handed_.size());
    if (fresh) handed_.push_back({one.subscription, one.place, {}});
    handed_[found->second].numbers.push_back(i);
  }
  for (const AgentAway& away : history.agents_away) away_[{away.life, away.agent}].push_back(away.at);
  for (const Operation& operation : history.operations) {
    if (operation.what == "requeue") requeues_[operation.subject].emplace_back(operation.at, operation.subscription);
  }
  std::map<std::string, LetterRecord> holding;
  for (const StoreContents& store : stores) {
    for (const LetterRecord& letter : store.letters) {
      const auto [found, fresh] = holding.try_emplace(letter.key(), letter);
      if (!fresh && holds_over(letter, found->second)) found->second = letter;
    }
  }
  for (auto& [key, letter] : holding) letters.push_back(std::move(letter));
}

const std::vector<std::size_t>& Evidence::hand_overs(std::uint32_t subscription, const Place& place) const {
  static const std::vector<std::size_t> none;
  const auto found = handed_places_.find({subscription, place});
  return found == handed_places_.end() ? none : handed_[found->second].numbers;
}

std::optional<SteadyTime> Evidence::over_at(const HandOver& one) const {
  std::optional<SteadyTime> over;
  const auto sooner = [&](SteadyTime at) {
    if (at >= one.at && (!over || at < *over)) over = at;
  };
  if (one.ending != Ending::Open) sooner(one.ended);
  const HandlerPlan& handler = this->handler(one.subscription);
  if (handler.handler_timeout && !one.deferred) sooner(one.at + *handler.handler_timeout);
  const auto away = away_.find({one.life, plan.subscriptions[one.subscription].agent});
  if (away != away_.end()) {
    for (const SteadyTime at : away->second) sooner(at);
  }
  if (const auto& ended = history.lives[one.life].ended) sooner(*ended);
  return over;
}

bool Evidence::is_uncertain(const HandOver& one) const {
  constexpr Duration margin = 200ms;  // handlers are looked at in turns
  const auto& timeout = handler(one.subscription).handler_timeout;
  if (one.ending == Ending::Open || !timeout || one.deferred || one.ended + margin < one.at + *timeout) return false;
  if (one.ended < one.at + *timeout + margin) return true;
  return std::ranges::any_of(history.pauses, [&](const Pause& pause) {
    return pause.life == one.life && pause.from <= one.ended && (!pause.to || *pause.to + margin >= one.at + *timeout);
  });
}

bool Evidence::answered(const HandOver& one) const {
  return one.ending != Ending::Open && (over_at(one) == one.ended || is_uncertain(one));
}

bool Evidence::failed(const HandOver& one) const {
  return over_at(one).has_value() && (!answered(one) || one.ending == Ending::Retry);
}

std::string Evidence::agent_of(std::uint32_t subscription) const {
  const SubscriptionPlan& drawn = plan.subscriptions[subscription];
  return plan.hosts[drawn.host].name + '/' + plan.handler(drawn).name;
}

bool Evidence::was_requeued(std::uint32_t subscription, const Place& place, SteadyTime before) const {
  if (requeues_.empty()) return false;
  const SubscriptionPlan& drawn = plan.subscriptions[subscription];
  const auto found = requeues_.find(history.id_text(place));
  // A gate is asked again whoever it was that failed.
  const std::string agent = drawn.is_gate() ? plan.hosts[drawn.host].name + '/' : agent_of(subscription);
  return found != requeues_.end() && std::ranges::any_of(found->second, [&](const auto& requeue) {
           return requeue.first <= before &&
                  (drawn.is_gate() ? requeue.second.starts_with(agent) : requeue.second == agent);
         });
}

bool Evidence::asks_again(const Operation& requeue, std::uint32_t subscription, const std::string& event) const {
  const SubscriptionPlan& drawn = plan.subscriptions[subscription];
  if (requeue.subject != event) return false;
  return drawn.is_gate() ? requeue.subscription.starts_with(plan.hosts[drawn.host].name + '/')
                         : requeue.subscription == agent_of(subscription);
}

bool Evidence::was_disturbed(std::uint32_t subscription) const {
  const std::string& name = plan.subscriptions[subscription].durable;
  return !name.empty() && std::ranges::any_of(history.operations, [&](const Operation& operation) {
    return operation.subscription == name && (operation.what == "reset" || operation.what == "skip");
  });
}

Duration Evidence::wall_offset(std::size_t host, SteadyTime at) const {
  Duration offset = plan.hosts[host].wall_offset;
  for (const History::WallStep& step : history.wall_steps) {
    if (step.host == host && step.at <= at) offset += step.by;
  }
  return offset;
}

bool Evidence::had_expired(const Place& place, std::size_t host, SteadyTime until) const {
  const std::string type(original_type(history.streams[place.stream].type));
  const auto found = std::ranges::find(plan.types, type, &TypePlan::type);
  if (found == plan.types.end() || !found->ttl) return false;
  const Publishing* told = history.published_at(place);
  if (told == nullptr) return true;  // a replay, or its publisher was killed before it knew the number
  const SteadyTime over = told->at + *found->ttl + wall_offset(history.lives[told->life].host, told->at);
  if (until + wall_offset(host, until) >= over) return true;
  return std::ranges::any_of(history.wall_steps, [&](const History::WallStep& step) {
    if (step.host != host || step.at < told->at || step.at > until) return false;
    return step.at + wall_offset(host, step.at) - step.by >= over || step.at + wall_offset(host, step.at) >= over;
  });
}

bool Evidence::has_durable(std::size_t host) const {
  return std::ranges::any_of(plan.subscriptions, [&](const SubscriptionPlan& one) {
    return one.host == host && (!one.durable.empty() || one.in_group);
  });
}

std::size_t Evidence::stores_lost_after(SteadyTime at) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(history.store_losses, [&](const auto& loss) { return loss.at >= at; }));
}

std::vector<std::uint32_t> Evidence::gates_for(std::size_t host, std::string_view type) const {
  std::vector<std::uint32_t> gates;
  for (std::uint32_t i = 0; i < plan.subscriptions.size(); ++i) {
    const SubscriptionPlan& one = plan.subscriptions[i];
    if (one.host == host && one.is_gate() && plan.filter(i).matches(type)) gates.push_back(i);
  }
  return gates;
}

}  // namespace legion::sim
