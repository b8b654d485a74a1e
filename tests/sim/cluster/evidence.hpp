// All that is known of a run when it is over: what the checkers judge.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <legion/event/spool_record.hpp>

#include "history.hpp"
#include "operators.hpp"
#include "plan.hpp"
#include "store_watch.hpp"

namespace legion::sim {

/// What a store has when everybody has stopped, read through its own interface.
struct StoreContents {
  std::size_t host = 0;
  std::string trouble;  ///< empty: it could be read
  struct Stored {
    std::uint64_t bytes = 0;     ///< a digest of the event
    std::uint32_t times = 1;
    std::uint8_t held_for = 0;
    Tag tag = 0;
  };
  std::map<Place, Stored> events;
  std::vector<LetterRecord> letters;
  std::vector<CursorState> cursors;
  std::map<Origin, std::vector<SpoolRecord>> records;  ///< of each consumer's life, in the order of its journal
};

struct Violation {
  std::string guarantee;  ///< "G2 order"
  std::string text;       ///< many lines: what is wrong, and what happened around it
};

class Evidence {
 public:
  Evidence(const Plan& plan, History& history);

  const Plan& plan;
  History& history;
  bool converged = false;      ///< both times
  SteadyTime healed{};         ///< the faults had ended
  SteadyTime told_to_stop{};   ///< everybody, at rest
  std::vector<NodeReport> before_books, after_books;  ///< by host
  std::vector<NodeReport> samples;                    ///< taken meanwhile
  std::vector<std::size_t> sampled_hosts;             ///< of them
  std::vector<StoreContents> stores;
  StoreWatch::Seen stored_before;  ///< by host, while the run went on
  std::vector<LetterRecord> letters;  ///< of all stores together: those that hold

  /// To be called when everything above is filled in.
  void index();

  /// Hand-overs of one event to one subscription, in order.
  const std::vector<std::size_t>& hand_overs(std::uint32_t subscription, const Place& place) const;
  struct Handed {
    std::uint32_t subscription = 0;
    Place place{};
    std::vector<std::size_t> numbers;  ///< of History::hand_overs
  };
  const std::vector<Handed>& handed() const { return handed_; }

  // What is known of one hand-over.
  const HandOver& at(std::size_t number) const { return history.hand_overs[number]; }
  /// The moment it was over for the node, whatever its handler said later; nothing: it never was.
  std::optional<SteadyTime> over_at(const HandOver& one) const;
  /// It was answered when it had just timed out, or might have: its node may have taken it either way.
  bool is_uncertain(const HandOver& one) const;
  /// It counts as a failed attempt: retried, timed out, or its agent or its process was gone first.
  bool failed(const HandOver& one) const;
  /// The handler's answer came in time: it is what it says.
  bool answered(const HandOver& one) const;

  bool is_durable(std::uint32_t subscription) const {
    return !plan.subscriptions[subscription].durable.empty() || is_shared(subscription);
  }
  /// A member of the group: what it is handed depends on what the others were.
  bool is_shared(std::uint32_t subscription) const { return plan.subscriptions[subscription].in_group; }
  const HandlerPlan& handler(std::uint32_t subscription) const {
    return plan.handler(plan.subscriptions[subscription]);
  }
  std::string agent_of(std::uint32_t subscription) const;  ///< "n3/agent0"
  bool was_requeued(std::uint32_t subscription, const Place& place, SteadyTime before) const;
  /// This requeue hands this event to this subscription: to its agent, or to a gate on the way to any.
  bool asks_again(const Operation& requeue, std::uint32_t subscription, const std::string& event) const;
  bool was_disturbed(std::uint32_t subscription) const;    ///< by an operator's reset or skip
  /// At some moment until then the clock of this host said that the event's time was over.
  bool had_expired(const Place& place, std::size_t host, SteadyTime until) const;
  bool has_durable(std::size_t host) const;
  /// A stop, a reject or a failure of this hand-over may have been told to a store that was lost since.
  bool letter_may_be_lost(const HandOver& one) const { return stores_lost_after(one.at) > 0; }
  /// How often a store was lost or damaged after `at`.
  std::size_t stores_lost_after(SteadyTime at) const;
  std::vector<std::uint32_t> gates_for(std::size_t host, std::string_view type) const;

 private:
  Duration wall_offset(std::size_t host, SteadyTime at) const;  ///< after a step at that very moment
  std::vector<Handed> handed_;
  std::map<std::pair<std::uint32_t, Place>, std::size_t> handed_places_;
  std::map<std::pair<LifeNo, std::size_t>, std::vector<SteadyTime>> away_;  // by life and agent
  std::map<std::string, std::vector<std::pair<SteadyTime, std::string>>>
      requeues_;  // by event: when, and of which agent
};

}  // namespace legion::sim
