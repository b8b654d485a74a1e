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
#include <legion/base/fifo.hpp>
#include <legion/core/dispatcher.hpp>
#include <legion/core/dispatcher_records.hpp>
#include <legion/core/dispatcher_retry.hpp>

namespace legion {

namespace dispatch {
/// At most limits::error_text_bytes_max bytes, not cut inside a UTF-8 character.
std::string bounded_text(std::string_view text);
}  // namespace dispatch

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
  void offer(const FramePtr& frame, dispatch::Run run, StreamKey stream, std::span<const Route> routes);
  bool is_one_tier(std::span<const Route> routes) const;
  bool takes_run(std::span<const Route> routes, const Route& route) const;
  bool needs_events(std::span<const Route> routes) const;
  void refuse_all(const dispatch::Run& run, std::span<const Route> routes);
  void offer_run(const FramePtr& frame, dispatch::Run run, StreamKey stream, const Route& route);
  void offer_wanted(const FramePtr& frame, dispatch::Run run, StreamKey stream, const dispatch::Addressee& to);
  void offer_part(const FramePtr& frame, dispatch::Run run, StreamKey stream, const dispatch::Addressee& to);
  void offer_events(const FramePtr& frame, dispatch::Run run, StreamKey stream, std::span<const Route> routes);
  void offer_event(const FramePtr& frame, std::uint32_t event, StreamKey stream, std::span<const Route> routes);
  void offer_again(const FramePtr& frame, std::uint32_t event, std::span<const Route> routes, const Earlier& earlier);
  Index create_item(const FramePtr& frame, std::uint32_t first, std::uint32_t count, const dispatch::Addressee& to);
  static void take_up(Item& item, const Earlier& so_far);
  void take_up_gate(Item& item, std::uint32_t attempts);
  static bool is_unwanted(const Handler& handler, const EventView& event);
  void end_unoffered(const FramePtr& frame, std::uint32_t first, std::uint32_t count, const dispatch::Addressee& to,
                     End end);
  void drop_excess(Index newest);
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
  void unlist(Index index);
  void add_depth(const Item& item, std::uint32_t events);
  void take_depth(const Item& item, std::uint32_t events);
  void settle(Agent& agent, std::size_t lane);
  void refresh(std::uint32_t agent);

  // dispatcher_runs.cpp: runs are taken apart and put together again
  Index split_front(Index index, std::uint32_t count);
  Index split_rest(Index index);
  void take_back(Index index);
  Index continuation(const Item& item) const;
  void park_successor(const Item& item);
  void end_front(Index index, std::uint32_t count, End end);
  void end_back(Index index, std::uint32_t count, End end);

  // dispatcher_hand_over.cpp: what is handed over next
  std::optional<Task> next();
  struct Turn {
    std::uint32_t agent;
    std::size_t lane;
    enum class Why : std::uint8_t { Highest, LaneIsDue, AgentIsDue } why;
  };
  Turn choose(dispatch::LaneMask runnable);
  std::uint32_t take_agent(std::size_t lane);
  std::uint32_t run_limit(const Turn& turn, dispatch::LaneMask runnable) const;
  std::optional<End> end_before_handling(const Item& item) const;
  Task hand_over(Index index);
  void count_handed_over(const Item& item, std::uint64_t events);
  TaskId draw_tasks(Index index, std::uint32_t count);
  Index find_task(TaskId task) const;
  void requeue_due();
  void requeue(Index index);
  void permit_retry(TaskId permit);
  dispatch::LaneMask runnable_lanes() const;
  std::optional<Priority> most_urgent(AgentId id) const;
  bool waits_above(AgentId id, Priority lane) const;

  // dispatcher_report.cpp: the answers of a run
  void report(TaskId task, std::span<const Answered> answered, const Outcome& last);
  void report_run(Index index, std::span<const Answered> answered, const Outcome& last);
  std::uint32_t end_answered(Index index, std::span<const Answered> answered, const Outcome& last);
  void record_answers(const Item& item, std::span<const Answered> answered);
  void apply_early(TaskId task, std::uint32_t count);
  void forget_early();

  // dispatcher_outcome.cpp: answers, failures and ends
  enum class After : std::uint8_t { Delay, AgentIsUp };
  void answer(TaskId task, Outcome outcome);
  void decide(Index index, const Outcome& outcome);
  void end_unhandled(Index index, End end, const std::string& why = {});
  enum class Fate : std::uint8_t { TriedAgain, Dead };
  Fate fail_attempt(Index index, std::string_view error, After after);
  void reject(Index index, std::string_view error);
  void note_failure(Item& item, std::string_view error);
  bool is_last_attempt(const Item& item) const;
  void defer(Index index);
  void leave_hands(Index index);
  void count_left_hands(const Item& item, std::uint32_t events);
  void agent_down(AgentId id, std::string_view error);
  std::vector<Index> unanswered(const Agent& agent) const;
  void time_out();

  // dispatcher_end.cpp: how deliveries end
  void end_item(Index index, End end, const std::string& why = {});
  void leave_agent(Index index);
  void tell_flow(Item& item, End end, const std::string& why);
  void settle_books(const Item& item, std::uint32_t events, End end);
  void report_over(const Item& item, std::uint32_t events);
  void report_failure(Index index);
  void write_letters(const Item& item, std::uint32_t events, End end, const std::string& why);
  void remove_agent(AgentId id, std::string_view error);
  void close();

  // dispatcher_recall.cpp: durable deliveries that are taken back
  void recall(SubscriptionId subscription, std::span<const StreamKey> streams);
  bool is_recalled(const Item& item) const;
  void came_back(Index index);
  void end_recalled();
  void end_recalled(Index index);
  void leave_flow(Index index);
  void unbook_recalled();

  // dispatcher_stats.cpp
  std::uint32_t events_in_flight(const Agent& agent) const;

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
  const Handler& handler(SubscriptionId id) const {
    LEGION_ASSERT(id.value < handlers.size());
    return handlers[id.value];
  }
  const Agent& agent_of(const Item& item) const { return agents[item.agent]; }
  Agent& agent_of(const Item& item) { return agents[item.agent]; }
  Handler& handler_of(const Item& item) { return handlers[item.subscription]; }

  Now now{};
  std::deque<Agent> agents;      // deque: references stay valid while agents are added
  std::deque<Handler> handlers;
  std::vector<std::uint32_t> timed_agents;  // those with a handler_timeout
  dispatch::Pool<Item> items;
  dispatch::Pool<Flow> flows;
  dispatch::Pool<Domain> domains;
  dispatch::RetryQueue retries;
  std::vector<Index> advance_queue;  // flows whose open tier holds nothing back any more

  std::array<Fifo<std::uint32_t>, limits::lane_count> ring;  // agents in turn; left lazily
  std::array<std::size_t, limits::lane_count> runnable_agents{};
  dispatch::LaneChooser chooser;
  std::uint32_t since_agent_turn = 0;

  std::vector<DeadLetter> letters;
  DurableReports reports;
  const Earlier* earlier = nullptr;  // of the event being offered again
  StreamKey offered_as = no_stream;  // the durable stream of the run being offered
  std::uint32_t offered_round = 0;   // as in InFlightPath
  std::vector<std::uint8_t> recalled;  // by Route::durable; 1: what is not in hands is taken back
  std::vector<Index> returned;         // of such streams, since the last public call: back from hands
  std::size_t unpermitted = 0;       // items that wait for their permit and nothing else
  std::array<LaneStats, limits::lane_count> lanes{};
  std::uint64_t stale_outcomes = 0;
  std::uint64_t arrivals = 0;
  std::uint64_t task_serial = 0;
  std::size_t waiting_items = 0;
  enum class Intake : std::uint8_t { Open, Draining } intake = Intake::Open;

  struct Early {
    TaskId task;
    Outcome outcome;
  };
  std::vector<Early> early;         // final answers to events of runs that are not reported yet

  std::vector<Index> scratch;       // items of the event or tier being opened
  std::vector<Route> one_by_one;    // routes of the run being offered that take its events singly
};

}  // namespace legion
