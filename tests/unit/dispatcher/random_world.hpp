// A random dispatcher with random events, answers, failures and time, watched by checkers that know only the rules.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/dispatcher.hpp>

#include "rig.hpp"

namespace legion::test {

/// Which checks make sense depends on what a world does: `calm` worlds lose nothing.
enum class Weather { Calm, Rough };

class RandomWorld {
 public:
  RandomWorld(std::uint64_t seed, Weather weather);

  /// Does one thing chosen by `choice` and checks everything. Throws std::logic_error naming the broken rule.
  void step(std::uint64_t choice);
  /// Everything up, every answer done: all that is held has to come out.
  void settle();

 private:
  // What the checkers know. An event is named by its number in the order of offering, which is its sequence, too.
  struct Delivery {
    std::uint32_t attempts = 0;
    bool over = false;  ///< ended for good
    bool booked = true;
  };
  struct Offered {
    StreamKey stream = 0;
    EventSpec spec;
    std::set<std::uint32_t> gates;      ///< subscriptions that have to say done
    std::set<std::uint32_t> gates_done;
    std::map<std::uint32_t, Delivery> deliveries;  ///< by subscription
  };
  struct Stream {
    Priority lane = Priority::Normal;
    std::vector<std::uint32_t> subscriptions;
  };
  struct Running {
    Task task;  ///< of a deferred event: as if it had been handed over alone
    SteadyTime since;
    bool deferred = false;
  };
  using DeliveryName = std::pair<std::uint64_t, std::uint32_t>;            // event, subscription
  using Domain = std::tuple<std::uint32_t, StreamKey, std::string>;  // agent, stream, key

  void offer(Rng& random);
  std::uint64_t draw_baseline(Rng& random, std::uint64_t first, std::uint64_t count) const;
  EventSpec draw_event(Rng& random, StreamKey stream) const;
  void hand_over();
  void answer(Rng& random);
  void finish(std::size_t running, Outcome outcome);
  void report(std::size_t running, Rng* random);
  OutcomeKind draw_kind(Rng* random) const;
  void go_down(std::uint32_t agent);
  void pass(Duration time);
  void answer_stale(Rng& random);
  void on_task(const Task& task);
  void on_given(const Task& task, std::uint32_t k);
  void on_ended(const Task& task, std::uint32_t k, OutcomeKind kind);
  void forget(const Task& task);
  bool is_in_hand(const DeliveryName& name) const;
  bool gets_runs(AgentId agent) const;
  bool has_expired(const Offered& event) const { return event.spec.expires_at && *event.spec.expires_at < now_.wall; }
  std::optional<Domain> domain_of(const Task& task, const Offered& event) const;
  Offered& event_of(const Task& task, std::uint32_t k) { return offered_[task.sequence(k) - 1]; }
  Delivery& delivery_of(const Task& task, std::uint32_t k);
  bool is_wanted(std::uint32_t subscription, const EventSpec& event) const;
  void check();
  void check_letters();
  void check_bounds();

  Rng random_;
  Weather weather_;
  Dispatcher dispatcher_;
  Now now_{SteadyTime{0}, WallTime{1'000'000'000}};
  std::vector<AgentSpec> agents_;
  std::vector<bool> up_;
  std::vector<std::uint32_t> agent_of_;  ///< by subscription
  std::vector<Priority> tier_of_;
  std::vector<std::optional<std::size_t>> condition_of_;  ///< by subscription: its `where`, if it has one
  std::vector<Stream> streams_;
  std::vector<Offered> offered_;
  std::vector<Running> running_;
  std::vector<TaskId> old_tasks_;
  std::map<Domain, DeliveryName> open_;  ///< the delivery that holds a domain
  std::map<std::pair<std::uint32_t, Domain>, std::uint64_t> last_first_;  ///< last event first handed over
  std::vector<std::uint64_t> published_, delivered_, dead_, unwanted_;  ///< booked, by subscription
  std::uint64_t steps_ = 0;
};

}  // namespace legion::test
