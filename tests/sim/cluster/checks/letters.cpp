// G6: a letter after exactly max_attempts, for every poison, for nobody else.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "checks.hpp"

namespace legion::sim {

namespace {

class LetterCheck {
 public:
  LetterCheck(const Evidence& evidence, Violations& violations) : evidence_(evidence), violations_(violations) {
    for (const LetterRecord& letter : evidence.letters) letters_[letter.key()] = &letter;
  }

  /// Of each hand-over: no attempt beyond the last one.
  void judge_attempts(const HandOver& one) {
    const std::uint32_t max = evidence_.handler(one.subscription).retry.max_attempts;
    if (one.attempt <= max) return;
    tell(one.subscription, one.place,
         "attempt " + std::to_string(one.attempt) + " where there are " + std::to_string(max));
  }

  /// Over all lives of its node: each attempt counts, also one that killed the process.
  void judge_total(const Evidence::Handed& handed) {
    if (evidence_.is_shared(handed.subscription)) return;  // each member counts the deaths of its own process
    if (!evidence_.is_durable(handed.subscription) || evidence_.was_disturbed(handed.subscription) ||
        !counts_are_kept(handed))
      return;
    if (shares_its_agent(handed)) return;
    const std::uint32_t max = evidence_.handler(handed.subscription).retry.max_attempts;
    std::uint32_t failures = 0;
    for (const std::size_t number : handed.numbers) {
      if (evidence_.was_requeued(handed.subscription, handed.place, evidence_.at(number).at)) return;
      failures = evidence_.failed(evidence_.at(number)) ? failures + 1 : 0;
      if (failures <= max) continue;
      return tell(handed.subscription, handed.place,
                  "handed over and failed " + std::to_string(failures) + " times where there are " +
                      std::to_string(max) + " attempts");
    }
  }

  void judge_letter(const LetterRecord& letter) {
    const auto id = EventId::parse(letter.event);
    if (!id || letter.deaths.empty()) return;
    const Place place = evidence_.history.place_of(*id);
    const std::optional<std::uint32_t> subscription = subscription_of(letter, id->type);
    if (!subscription || evidence_.is_shared(*subscription)) return;
    const LetterDeath& death = letter.deaths.back();
    const std::uint32_t failures = failed_hand_overs(*subscription, place);
    const std::uint32_t max = evidence_.handler(*subscription).retry.max_attempts;
    if (death.reason == "handler_error") {
      if (death.attempts != max)
        tell(*subscription, place, "a letter after " + std::to_string(death.attempts) + " attempts");
      // All rounds of it, for hand-overs do not say which one they are of.
      std::uint32_t least = 0;
      for (const LetterDeath& one : letter.deaths) least += one.reason == "handler_error" ? one.attempts : 0;
      if (failures + deaths_of_host(*subscription, place) < least) {
        tell(*subscription, place, "a letter, though only " + std::to_string(failures) + " hand-overs failed");
      }
    } else if (death.reason == "rejected") {
      if (!was_rejected(*subscription, place))
        tell(*subscription, place, "a letter that says rejected, and nobody did");
    } else if (death.reason == "gate_failed") {
      if (!gate_failed(*subscription, place))
        tell(*subscription, place, "a letter that blames a gate which did nothing wrong");
    } else if (death.reason == "expired") {
      const std::size_t host = evidence_.plan.subscriptions[*subscription].host;
      if (!evidence_.had_expired(place, host, evidence_.told_to_stop + evidence_.plan.drain_max))
        tell(*subscription, place, "a letter that says expired of what had not");
    } else {
      tell(*subscription, place, "a letter that says " + death.reason + ": " + death.error);
    }
  }

  /// Of each event and subscription: attempts all used in one life, or rejected, means a letter.
  void judge_ended(const Evidence::Handed& handed) {
    if (handed.numbers.empty() || evidence_.stores.empty() || !evidence_.converged) return;
    const HandOver& last = evidence_.at(handed.numbers.back());
    if (last.tag == 0 && !evidence_.is_durable(handed.subscription)) return;
    if (last.replayed || evidence_.was_disturbed(handed.subscription)) return;
    if (evidence_.is_shared(handed.subscription)) return;
    // Of plain deliveries only a life that ended well has told everything, and it knows of no spool when it begins.
    const Life& life = evidence_.history.lives[last.life];
    if (!evidence_.is_durable(handed.subscription) && no_spool_known(last)) return;
    if (!evidence_.is_durable(handed.subscription) &&
        (life.end != Life::End::Clean || !life.drained || last.at < life.began + 20s))
      return;
    const std::uint32_t max = evidence_.handler(handed.subscription).retry.max_attempts;
    if (evidence_.is_uncertain(last)) return;
    const bool rejected = evidence_.answered(last) && last.ending == Ending::Reject;
    const bool used_up = evidence_.failed(last) && last.attempt >= max;
    const auto found = letters_.find(key(handed.subscription, handed.place));
    if ((rejected || used_up) && found == letters_.end() && !evidence_.letter_may_be_lost(last) &&
        !gone_with_its_life(last)) {
      tell(handed.subscription, handed.place,
           rejected ? "rejected, and there is no letter" : "attempts used up, and there is no letter");
    }
  }

 private:
  std::string key(std::uint32_t subscription, const Place& place) const {
    return evidence_.history.id_text(place) + ' ' + evidence_.agent_of(subscription);
  }

  /// The process ended before it had told a spool, and no spool has the event to begin with it anew. Then the letter
  /// was behind everything its node got confirmed, because a node's records are one journal, and a node that could end
  /// in peace has said that something was not.
  bool gone_with_its_life(const HandOver& one) const {
    if (evidence_.is_durable(one.subscription) && any_store_has(one.place)) return false;
    const Life::End end = evidence_.history.lives[one.life].end;
    if (end != Life::End::Killed && !(end == Life::End::Clean && said_unconfirmed(one.life))) return false;
    constexpr Duration on_its_way = 1s;  // from the handler into the journal
    const std::optional<SteadyTime> over = evidence_.over_at(one);
    return !over || !got_confirmed(one.life, *over + on_its_way);
  }

  bool any_store_has(const Place& place) const {
    return std::ranges::any_of(evidence_.stores,
                               [&](const StoreContents& store) { return store.events.contains(place); });
  }

  bool said_unconfirmed(LifeNo life) const {
    return std::ranges::any_of(evidence_.history.errors, [&](const History::Line& line) {
      return line.life == life &&
             line.text.contains("events were not confirmed by spools before this node had to stop");
    });
  }

  /// Something this life put into its confirmed journal after `from`: an event, or the record of an attempt, without
  /// which no durable subscription is handed a later one.
  bool got_confirmed(LifeNo life, SteadyTime from) const {
    const auto& types = evidence_.plan.types;
    return std::ranges::any_of(evidence_.history.publishings,
                               [&](const Publishing& one) {
                                 return one.life == life && one.numbered && *one.numbered > from && one.place &&
                                        types[one.type].durability == Durability::Confirmed &&
                                        types[one.type].spools > 0 && any_store_has(*one.place);
                               }) ||
           std::ranges::any_of(evidence_.handed(), [&](const Evidence::Handed& handed) {
             return evidence_.is_durable(handed.subscription) && was_retried(handed, life, from);
           });
  }

  /// Failed after `from` and handed over once more, both in this life.
  bool was_retried(const Evidence::Handed& handed, LifeNo life, SteadyTime from) const {
    for (std::size_t i = 1; i < handed.numbers.size(); ++i) {
      const HandOver& before = evidence_.at(handed.numbers[i - 1]);
      const HandOver& again = evidence_.at(handed.numbers[i]);
      if (before.life != life || again.life != life || again.attempt != before.attempt + 1) continue;
      if (const auto over = evidence_.over_at(before); over && *over > from) return true;
    }
    return false;
  }

  std::optional<std::uint32_t> subscription_of(const LetterRecord& letter, const std::string& type) const {
    std::optional<std::uint32_t> only;
    for (std::uint32_t i = 0; i < evidence_.plan.subscriptions.size(); ++i) {
      if (evidence_.agent_of(i) != letter.agent || !evidence_.plan.filter(i).matches(original_type(type))) continue;
      if (only) return std::nullopt;  // an agent has one letter of an event, whichever of its subscriptions failed
      only = i;
    }
    return only;
  }

  std::uint32_t failed_hand_overs(std::uint32_t subscription, const Place& place) const {
    std::uint32_t failures = 0;
    for (const std::size_t number : evidence_.hand_overs(subscription, place)) {
      const HandOver& one = evidence_.at(number);
      failures += evidence_.failed(one) || evidence_.is_uncertain(one) ? 1 : 0;
    }
    return failures;
  }

  /// What is kept of an event in hands is kept for its agent: another subscription that is done with it ends it.
  bool shares_its_agent(const Evidence::Handed& handed) const {
    const std::string type(original_type(evidence_.history.streams[handed.place.stream].type));
    const auto& all = evidence_.handler(handed.subscription).subscriptions;
    return std::ranges::count_if(all, [&](std::size_t one) { return evidence_.plan.filter(one).matches(type); }) > 1;
  }

  /// A spool that said goodbye is none until it is heard again, and that may take as long as a partition lasts.
  bool no_spool_known(const HandOver& one) const {
    constexpr Duration heard_within = 20s;
    for (std::size_t i = 0; i < evidence_.plan.hosts.size(); ++i) {
      if (!evidence_.plan.hosts[i].spool) continue;
      bool gone = false;
      for (LifeNo number = 0; number < evidence_.history.lives.size(); ++number) {
        const Life& life = evidence_.history.lives[number];
        if (life.host != i || number == one.life || life.began > one.at) continue;
        if (life.stopping && *life.stopping <= one.at) gone = true;
        if (!life.stopping && life.began + heard_within <= one.at) gone = false;
      }
      if (!gone) return false;
    }
    return true;
  }

  /// A machine that lost its files, or a spool that was away, may not know of an attempt.
  bool counts_are_kept(const Evidence::Handed& handed) const {
    const std::size_t host = evidence_.plan.subscriptions[handed.subscription].host;
    const SteadyTime first = evidence_.at(handed.numbers.front()).at;
    if (evidence_.plan.spools() != 1 || evidence_.stores_lost_after(first) > 0) return false;
    return std::ranges::none_of(evidence_.history.lives, [&](const Life& life) {
      return life.host == host && life.began > first && life.state != Life::State::Kept;
    });
  }

  /// What was about to be handed over when the process died counts, and its handler never saw it.
  std::uint32_t deaths_of_host(std::uint32_t subscription, const Place& place) const {
    const std::size_t host = evidence_.plan.subscriptions[subscription].host;
    const Publishing* told = evidence_.history.published_at(place);
    return static_cast<std::uint32_t>(std::ranges::count_if(evidence_.history.lives, [&](const Life& life) {
      return life.host == host && life.end == Life::End::Killed && (told == nullptr || *life.ended > told->at);
    }));
  }

  bool was_rejected(std::uint32_t subscription, const Place& place) const {
    return std::ranges::any_of(evidence_.hand_overs(subscription, place),
                               [&](std::size_t number) { return evidence_.at(number).ending == Ending::Reject; });
  }

  bool gate_failed(std::uint32_t subscription, const Place& place) const {
    const std::size_t host = evidence_.plan.subscriptions[subscription].host;
    const std::string type(original_type(evidence_.history.streams[place.stream].type));
    return std::ranges::any_of(evidence_.gates_for(host, type),
                               [&](std::uint32_t gate) { return failed_hand_overs(gate, place) > 0; });
  }

  void tell(std::uint32_t subscription, const Place& place, const std::string& what) {
    if (violations_.size() >= violations_per_check_max) return;
    std::string text = what + ": subscription " + std::to_string(subscription) + " of " +
                       evidence_.agent_of(subscription) + '\n' + evidence_.history.story(place);
    for (const StoreContents& store : evidence_.stores) {
      if (store.events.contains(place)) text += "  the store of " + evidence_.plan.hosts[store.host].name + " has it\n";
    }
    if (const auto found = letters_.find(key(subscription, place)); found != letters_.end()) {
      const LetterRecord& letter = *found->second;
      text +=
          "  the letter: round " + std::to_string(letter.round) + ", " + std::string(to_string(letter.state)) + '\n';
      for (const LetterDeath& death : letter.deaths) {
        text += "    " + death.reason + " after " + std::to_string(death.attempts) + " attempts: " + death.error + '\n';
      }
    }
    violations_.push_back({"G6 dead letters", std::move(text)});
  }

  const Evidence& evidence_;
  Violations& violations_;
  std::map<std::string, const LetterRecord*> letters_;
};

}  // namespace

void check_letters(const Evidence& evidence, Violations& violations) {
  LetterCheck check(evidence, violations);
  for (const HandOver& one : evidence.history.hand_overs) check.judge_attempts(one);
  for (const LetterRecord& letter : evidence.letters) check.judge_letter(letter);
  for (const Evidence::Handed& handed : evidence.handed()) {
    check.judge_ended(handed);
    check.judge_total(handed);
  }
}

}  // namespace legion::sim
