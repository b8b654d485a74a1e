// The inside of the dispatcher. Its functions are spread over dispatcher_*.cpp by what they are about.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher.hpp>
#include <legion/core/dispatcher_records.hpp>
#include <legion/core/dispatcher_retry.hpp>

namespace legion {

/// Order: every public call ends with advance_flows(), so that opening a tier never happens in the middle of ending an
/// item. Functions that change an agent leave its runnable lanes up to date (refresh).
struct Dispatcher::State {
  using Index = dispatch::Index;
  using Item = dispatch::Item;
  using Agent = dispatch::Agent;
  using Domain = dispatch::Domain;
  using Flow = dispatch::Flow;
  using Handler = dispatch::Handler;
  using End = dispatch::End;
  using Stage = dispatch::Stage;
  using Place = dispatch::Place;
  static constexpr Index no_index = dispatch::no_index;

  explicit State(std::uint64_t seed) : retries(seed) {}

  // dispatcher_offer.cpp: events come in and pass the tiers
  void offer(EventPtr event, StreamKey stream, std::span<const Route> routes);
  Index create_item(const EventPtr& event, Route route);
  void refuse_undecodable(const EventPtr& event, Route route);
  void create_flow(std::span<const Index> by_tier);
  void open(Index index);
  void first_outcome(Item& item);
  void decide_later_tiers(Flow& flow, End end, const std::string& error);
  void queue_advance(Index flow);
  void advance_flows();
  void unreference(Index flow);

  // dispatcher_mailbox.cpp: order domains and the lists of an agent
  void enter_domain(Index index, StreamKey stream);
  void leave_domain(Index index);
  bool is_head_of_line(const Item& item) const;
  bool is_held(const Item& item) const;
  void on_hold_started(const Item& item);
  void enqueue_back(Index index);
  void enqueue_runnable(Index index);
  void enqueue_first(Index index);
  void unqueue(Index index);
  void settle(Agent& agent, std::size_t lane);
  void refresh(std::uint32_t agent);

  // dispatcher_hand_over.cpp: what is handed over next
  std::optional<Task> next();
  struct Turn {
    std::uint32_t agent;
    std::size_t lane;
  };
  Turn choose(dispatch::LaneMask runnable);
  std::uint32_t take_agent(std::size_t lane);
  Task hand_over(Index index);
  Index find_task(TaskId task) const;
  void requeue_due();
  dispatch::LaneMask runnable_lanes() const;

  // dispatcher_outcome.cpp: answers, failures and ends
  enum class After : std::uint8_t { Delay, AgentIsUp };
  void answer(TaskId task, Outcome outcome);
  enum class Fate : std::uint8_t { TriedAgain, Dead };
  Fate fail_attempt(Index index, std::string_view error, After after);
  void reject(Index index, std::string_view error);
  void note_failure(Item& item, std::string_view error);
  void defer(Index index);
  void leave_hands(Index index);
  void agent_down(AgentId id, std::string_view error);
  void time_out();
  void end_item(Index index, End end, const std::string& gate_error = {});
  void leave_agent(Index index);
  void tell_flow(Item& item, End end);
  void count_end(Handler& handler, Booked booked, End end);
  void write_letter(const Item& item, End end, const std::string& gate_error);
  void close();

  // dispatcher_check.cpp
  std::optional<std::string> check() const;

  Agent& agent(AgentId id) {
    LEGION_ASSERT(id.value < agents.size());
    return agents[id.value];
  }
  Handler& handler(SubscriptionId id) {
    LEGION_ASSERT(id.value < handlers.size());
    return handlers[id.value];
  }
  Agent& agent_of(const Item& item) { return agents[item.agent]; }
  Handler& handler_of(const Item& item) { return handlers[item.subscription]; }

  Now now{};
  std::deque<Agent> agents;      // deque: references stay valid while agents are added
  std::deque<Handler> handlers;
  dispatch::Pool<Item> items;
  dispatch::Pool<Flow> flows;
  dispatch::Pool<Domain> domains;
  dispatch::RetryQueue retries;
  std::vector<Index> advance_queue;  // flows whose open tier holds nothing back any more

  std::array<std::deque<std::uint32_t>, limits::lane_count> ring;  // agents in turn; left lazily
  std::array<std::size_t, limits::lane_count> runnable_agents{};
  dispatch::LaneChooser chooser;
  std::uint32_t since_agent_turn = 0;

  std::vector<DeadLetter> letters;
  std::array<LaneStats, limits::lane_count> lanes{};
  std::uint64_t stale_outcomes = 0;
  std::uint64_t arrivals = 0;
  std::uint64_t task_serial = 0;
  std::size_t waiting_items = 0;
  enum class Intake : std::uint8_t { Open, Draining } intake = Intake::Open;

  std::vector<Index> scratch;       // items of the event or tier being opened
};

}  // namespace legion
