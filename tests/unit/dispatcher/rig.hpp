// A dispatcher on a table: verbs for tests, time moved by hand, the books checked after every step.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/core/dispatcher.hpp>

namespace legion::test {

struct EventSpec {
  StreamKey stream = 1;
  std::uint64_t sequence = 1;
  Priority lane = Priority::Normal;
  std::string key{};
  std::optional<WallTime> expires_at{};
  std::string defect{};
  WallTime time{};
};

inline EventPtr make_event(const EventSpec& spec) {
  struct Owned {
    std::string key;
    std::string defect;
    EventView view;
  };
  auto owned = std::make_shared<Owned>();
  owned->key = spec.key;
  owned->defect = spec.defect;
  owned->view.type = "test.event";
  owned->view.origin = "a";
  owned->view.lane = spec.lane;
  owned->view.sequence = spec.sequence;
  owned->view.key = owned->key;
  owned->view.defect = owned->defect;
  owned->view.expires_at = spec.expires_at;
  owned->view.time = spec.time;
  return EventPtr(owned, &owned->view);
}

/// A retry policy without chance: 100 ms, 200 ms, 400 ms..
inline RetryPolicy steady_retry(std::uint32_t max_attempts = 3) {
  RetryPolicy policy;
  policy.max_attempts = max_attempts;
  policy.jitter = 0.0;
  return policy;
}

inline AgentSpec agent_spec(std::string name, std::uint32_t concurrency = 1, LaneSpec lane = {}) {
  AgentSpec spec;
  spec.name = std::move(name);
  spec.concurrency = concurrency;
  spec.lanes.fill(lane);
  spec.retry = steady_retry();
  return spec;
}

class Rig {
 public:
  AgentId agent(AgentSpec spec) { return dispatcher.add_agent(std::move(spec)); }
  AgentId agent(const std::string& name) { return agent(agent_spec(name)); }
  SubscriptionId subscribe(AgentId agent, Priority tier = Priority::Normal) {
    return dispatcher.add_subscription(agent, {Filter{}, tier});
  }
  SubscriptionId gate(AgentId agent) { return subscribe(agent, Priority::Critical); }

  EventPtr offer(const EventSpec& spec, std::vector<SubscriptionId> routes, Booked booked = Booked::Yes) {
    const EventPtr event = make_event(spec);
    std::vector<Route> all;
    for (const SubscriptionId id : routes) all.push_back({id, booked});
    dispatcher.on_event(now, event, spec.stream, all);
    check();
    return event;
  }

  std::optional<Task> next() {
    auto task = dispatcher.next(now);
    check();
    return task;
  }
  /// The next task, which has to exist.
  Task take() {
    auto task = next();
    EXPECT_TRUE(task.has_value()) << "nothing to hand over";
    return task.value_or(Task{.id = 0, .agent = {}, .subscription = {}, .event = make_event({.sequence = 0})});
  }
  void answer(const Task& task, Outcome outcome) {
    dispatcher.on_outcome(now, task.id, std::move(outcome));
    check();
  }
  /// Takes the next task and answers it; what it was.
  Task finish(Outcome outcome = Outcome::done()) {
    const Task task = take();
    answer(task, std::move(outcome));
    return task;
  }
  /// Everything that is runnable now, answered done: the sequences in the order of hand-over.
  std::vector<std::uint64_t> finish_all() {
    std::vector<std::uint64_t> sequences;
    while (const auto task = next()) {
      sequences.push_back(task->event->sequence);
      answer(*task, Outcome::done());
    }
    return sequences;
  }
  bool idle() {
    EXPECT_FALSE(dispatcher.has_runnable());
    return !next().has_value();
  }

  void pass(Duration time) {
    now.steady = now.steady + time;
    now.wall = now.wall + time;
    dispatcher.on_tick(now);
    check();
  }
  void down(AgentId agent, const std::string& error = "process exited with status 1") {
    dispatcher.on_agent_down(now, agent, error);
    check();
  }
  void up(AgentId agent) {
    dispatcher.on_agent_up(now, agent);
    check();
  }

  Books books(SubscriptionId id) const { return dispatcher.books(id); }
  std::uint64_t lost(SubscriptionId id, LossReason reason) const { return books(id).lost_for(reason); }
  std::vector<DeadLetter> letters() { return dispatcher.drain_letters(); }
  void check() const {
    if (const auto fault = dispatcher.check_conservation()) ADD_FAILURE() << *fault;
  }

  Dispatcher dispatcher{1};
  Now now{SteadyTime{1'000'000'000}, WallTime{1'700'000'000'000'000'000}};
};

class DispatcherTest : public testing::Test {
 protected:
  Rig rig;
};

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

}  // namespace legion::test
