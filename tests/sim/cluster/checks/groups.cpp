// Groups: nothing is skipped, each stream is in order at whoever has it, nothing comes twice unless somebody may have
// seemed dead, and a dead member is replaced in time.
#include <algorithm>
#include <map>
#include <set>

#include "checks.hpp"

namespace legion::sim {

namespace {

constexpr Duration hand_over_max = 1s;  // beyond dead_after
constexpr Duration until_published = 2s;  // the next event of a stream, and its way

class GroupCheck {
 public:
  GroupCheck(const Evidence& evidence, Violations& violations) : evidence_(evidence), violations_(violations) {
    for (std::size_t i = 0; i < evidence.history.hand_overs.size(); ++i) {
      const HandOver& one = evidence.history.hand_overs[i];
      if (evidence.is_shared(one.subscription) && !one.replayed && one.tag != 0)
        streams_[one.place.stream].push_back(i);
    }
  }

  /// Confirmed means handled by some member, a letter, or that a gate or an earlier tier decided for it.
  void judge_served() {
    const bool may_be_lost = !evidence_.history.store_losses.empty() || evidence_.plan.retain_for;
    if (!evidence_.converged || may_be_lost) return;
    std::set<std::string> letters;
    for (const LetterRecord& letter : evidence_.letters) letters.insert(letter.event);
    for (const Publishing& one : evidence_.history.publishings) {
      if (one.type != evidence_.plan.group->type || !one.place || !one.confirmed) continue;
      if (is_over(*one.place) || letters.contains(evidence_.history.id_text(*one.place))) continue;
      tell("a confirmed event was handled by no member", *one.place);
    }
  }

  /// Per stream at a member of concurrency 1, else per key. Where nobody may have seemed dead, every event comes to one
  /// member only, and per key in order over all of them.
  void judge_order() {
    const bool is_calm = !may_have_seemed_dead();
    const bool keeps_leases = !may_be_cut_off();
    for (const auto& [stream, numbers] : streams_) {
      std::map<std::pair<LifeNo, std::string>, std::uint64_t> last;
      std::map<std::string, std::uint64_t> last_of_all;
      for (const std::size_t number : numbers) {
        const HandOver& one = evidence_.at(number);
        if (evidence_.was_requeued(one.subscription, one.place, one.at)) continue;
        const bool is_by_key = evidence_.handler(one.subscription).concurrency > 1;
        std::uint64_t& own = last[{one.life, is_by_key ? one.key : std::string()}];
        std::uint64_t& of_all = last_of_all[one.key];
        const std::uint64_t before = is_calm ? std::max(own, of_all) : own;
        const bool is_again = one.place.sequence < before || (one.place.sequence == before && one.attempt == 1);
        if (is_again && is_calm) tell("nobody died, and an event came again or after a later one", one.place);
        if (keeps_leases && one.place.sequence < own) tell("an earlier event came later at one member", one.place);
        own = one.place.sequence;
        of_all = std::max(of_all, own);
      }
    }
  }

  /// Of a member that was killed while nothing else was wrong: whatever it had goes on with others in time.
  void judge_deaths() {
    if (evidence_.plan.faults.size() != 1 || evidence_.plan.faults.front().kind != Fault::Crash) return;
    for (LifeNo life = 0; life < evidence_.history.lives.size(); ++life) {
      const Life& dead = evidence_.history.lives[life];
      if (dead.end != Life::End::Killed || !dead.ended) continue;
      for (const auto& [stream, numbers] : streams_) judge_death(life, *dead.ended, numbers);
    }
  }

 private:
  void judge_death(LifeNo life, SteadyTime died, const std::vector<std::size_t>& numbers) {
    const HandOver* last = nullptr;
    const HandOver* next = nullptr;
    for (const std::size_t number : numbers) {
      const HandOver& one = evidence_.at(number);
      if (one.at <= died) last = &one;
      if (one.at > died && next == nullptr) next = &one;
    }
    if (last == nullptr || last->life != life || next == nullptr) return;
    // What was there to be handed over: the first event behind its last one, or that one itself.
    const SteadyTime due = died + evidence_.plan.dead_after + hand_over_max;
    const Publishing* told = evidence_.history.published_at(next->place);
    const SteadyTime there = told != nullptr ? told->at + until_published : due;
    if (next->at > std::max(due, there)) {
      tell("a stream of a member that was killed at " + text_of(died) + " went on at " + text_of(next->at) +
               " only, and is due by " + text_of(std::max(due, there)),
           next->place);
    }
  }

  bool is_over(const Place& place) const {
    for (std::uint32_t i = 0; i < evidence_.plan.subscriptions.size(); ++i) {
      const bool is_member = evidence_.is_shared(i);
      for (const std::size_t number : evidence_.hand_overs(i, place)) {
        const HandOver& one = evidence_.at(number);
        if (!evidence_.answered(one)) continue;
        if (is_member && one.ending != Ending::Retry) return true;
        if (!is_member && (one.ending == Ending::Stop || one.ending == Ending::Reject) && is_before_a_member(i))
          return true;
      }
    }
    return false;
  }

  bool is_before_a_member(std::uint32_t subscription) const {
    const auto& all = evidence_.plan.subscriptions;
    return std::ranges::any_of(evidence_.plan.group->members, [&](std::uint32_t member) {
      return all[member].host == all[subscription].host && all[subscription].tier < all[member].tier;
    });
  }

  bool any_death() const {
    return std::ranges::any_of(evidence_.history.lives,
                               [&](const Life& life) { return life.end == Life::End::Killed; });
  }

  /// Then a member that lives may hear that somebody else has what it had.
  bool may_be_cut_off() const {
    const auto cuts = [](const FaultPlan& fault) { return is_of_network(fault.kind) || fault.kind == Fault::Pause; };
    return !evidence_.plan.network_faults.empty() || std::ranges::any_of(evidence_.plan.faults, cuts);
  }

  bool may_have_seemed_dead() const {
    const auto is_death = [](const FaultPlan& fault) { return fault.kind != Fault::Restart; };
    return !evidence_.plan.network_faults.empty() || std::ranges::any_of(evidence_.plan.faults, is_death) ||
           any_death();
  }

  void tell(const std::string& what, const Place& place) {
    if (violations_.size() >= violations_per_check_max) return;
    violations_.push_back({"groups", what + '\n' + evidence_.history.story(place)});
  }

  const Evidence& evidence_;
  Violations& violations_;
  std::map<StreamNo, std::vector<std::size_t>> streams_;  // hand-overs to members
};

}  // namespace

void check_groups(const Evidence& evidence, Violations& violations) {
  if (!evidence.plan.group) return;
  GroupCheck check(evidence, violations);
  check.judge_served();
  check.judge_order();
  check.judge_deaths();
}

}  // namespace legion::sim
