#include "rig.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <legion/base/rng.hpp>
#include <legion/core/dispatcher_lanes.hpp>

#include "seed.hpp"

namespace legion::test {

class DispatcherLanes : public DispatcherTest {
 protected:
  StreamKey stream = 0;
  void offer(SubscriptionId id, Priority lane, std::uint64_t sequence = 1) {
    rig.offer({.stream = stream++ % 1000, .sequence = sequence, .lane = lane}, {id});
  }
};

TEST_F(DispatcherLanes, TheHighestGoesFirstWhateverCameFirst) {
  const auto all = rig.subscribe(rig.agent("a"));
  offer(all, Priority::Low, 4);
  offer(all, Priority::Normal, 3);
  offer(all, Priority::High, 2);
  offer(all, Priority::Critical, 1);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3, 4));
}

TEST_F(DispatcherLanes, AreLookedAtAgainAfterEveryEvent) {
  const auto all = rig.subscribe(rig.agent("a"));
  offer(all, Priority::Low, 1);
  offer(all, Priority::Low, 2);
  rig.finish();
  offer(all, Priority::Critical, 3);
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 2));
}

TEST_F(DispatcherLanes, AgentsTakeTurnsInALane) {
  const auto a = rig.subscribe(rig.agent("a"));
  const auto b = rig.subscribe(rig.agent("b"));
  for (std::uint64_t n = 1; n <= 3; ++n) offer(a, Priority::Normal, n);
  for (std::uint64_t n = 11; n <= 13; ++n) offer(b, Priority::Normal, n);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 11, 2, 12, 3, 13));
}

TEST_F(DispatcherLanes, AStalledAgentDoesNotHoldUpAnother) {
  const auto a = rig.subscribe(rig.agent("a"));
  const auto b = rig.subscribe(rig.agent("b"));
  offer(a, Priority::Critical, 1);
  offer(a, Priority::Critical, 2);
  rig.take();
  offer(b, Priority::Low, 3);
  EXPECT_THAT(rig.finish_all(), ElementsAre(3));
}

TEST_F(DispatcherLanes, EachGetsAtLeastOneOf64WhileAllHaveWork) {
  const auto all = rig.subscribe(rig.agent("a"));
  std::array<int, limits::lane_count> waited{};
  std::array<int, limits::lane_count> served{};
  for (const Priority lane : all_priorities) {
    for (int i = 0; i < 2; ++i) offer(all, lane);
  }
  for (int i = 0; i < 1000; ++i) {
    const Priority lane = rig.finish().lane;
    for (int& since : waited) ++since;
    waited[lane_index(lane)] = 0;
    ++served[lane_index(lane)];
    EXPECT_THAT(waited, testing::Each(testing::Lt(64)));
    offer(all, lane);
  }
  EXPECT_GT(served[0], 900) << "the guarantee for the lower lanes costs the critical one little";
}

TEST_F(DispatcherLanes, ABusyAgentsOwnLowLaneIsNotStarvedByAnotherAgents) {
  // Two workers. The flood of `a` keeps it busy whenever the low lane's turn comes, so the turn goes to `b`.
  const auto a = rig.subscribe(rig.agent("a"));
  const auto b = rig.subscribe(rig.agent("b"));
  offer(a, Priority::Low, 77);
  for (int i = 0; i < 2; ++i) offer(a, Priority::Critical);
  for (int i = 0; i < 2; ++i) offer(b, Priority::Low);
  std::optional<Task> running;
  int hand_overs = 0;
  for (; hand_overs < 1000; ++hand_overs) {
    const Task task = rig.take();
    if (task.sequence() == 77) break;
    offer(task.agent == AgentId{0} ? a : b, task.lane);
    if (running) rig.answer(*running, Outcome::done());
    running = task;
  }
  EXPECT_LT(hand_overs, 300);
}

/// Between two turns of an agent's own lanes lie events and not runs. The bound: due when passed over by 46 events, of
/// which the last run may add 16; the two other lower lanes are before it, and 8 events before each turn.
TEST_F(DispatcherLanes, ABusyAgentsOwnLowLaneIsPassedOverByAtMost79EventsOfItsRuns) {
  const auto a = rig.subscribe(rig.agent(run_spec("a", 32, {1000, Overflow::DropNewest})));
  std::map<std::uint32_t, SubscriptionId> others;  // an agent for each lower lane, which has its turn while `a` is busy
  for (std::size_t n = 0; n < 20; ++n) rig.offer_run(a, 100 + 32 * n, 32, 2000, Priority::Critical);
  for (const Priority lane : {Priority::High, Priority::Normal, Priority::Low}) {
    offer(a, lane, 77);
    const AgentId other = rig.agent("b");
    offer(others[other.value] = rig.subscribe(other), lane);
  }
  std::uint32_t passed = 0;
  for (Task task = rig.take(); task.lane != Priority::Low; task = rig.take()) {
    ASSERT_EQ(task.agent, AgentId{0});
    passed += task.count;
    for (int n = 0; n < 2; ++n) {
      const Task meanwhile = rig.finish();
      offer(others.at(meanwhile.agent.value), meanwhile.lane);
    }
    rig.report_all(task);
  }
  EXPECT_LE(passed, 79u);
}

/// Random loads over several agents, against a count of its own of what was runnable.
TEST_F(DispatcherLanes, NoneIsPassedOver64TimesInARowUnderRandomLoads) {
  for (int round = 0; round < 40; ++round) {
    Rng random = seeded_rng(round);
    Dispatcher dispatcher(1);
    const std::size_t agent_count = 1 + random.below(4);
    for (std::size_t a = 0; a < agent_count; ++a) {
      dispatcher.add_subscription(dispatcher.add_agent(agent_spec("a", 1000)), {});
    }
    std::array<std::array<int, limits::lane_count>, 4> backlog{};
    std::array<int, limits::lane_count> passed{};
    std::array<std::uint64_t, limits::lane_count> weight{1, random.below(4), random.below(4), random.below(4)};
    for (int step = 0; step < 2000; ++step) {
      for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
        if (random.below(4) >= weight[lane]) continue;
        const std::size_t a = random.below(agent_count);
        const Route route{SubscriptionId{static_cast<std::uint32_t>(a)}};
        dispatcher.on_run(rig.now, make_run(1, 1, static_cast<Priority>(lane)), 0, 1, 1, {&route, 1});
        ++backlog[a][lane];
      }
      const auto task = dispatcher.next(rig.now);
      if (!task) continue;
      for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
        int runnable = 0;
        for (const auto& agent : backlog) runnable += agent[lane];
        passed[lane] = runnable > 0 && lane != lane_index(task->lane) ? passed[lane] + 1 : 0;
        ASSERT_LT(passed[lane], 64) << "lane " << lane;
      }
      --backlog[task->agent.value][lane_index(task->lane)];
      dispatcher.on_outcome(rig.now, task->id, Outcome::done());
    }
  }
}

/// The same with runs, several of them in flight, each of which may come back in part.
TEST_F(DispatcherLanes, NoneIsPassedOverBy64EventsInARowWithRuns) {
  for (int round = 0; round < 60; ++round) {
    Rng random = seeded_rng(round);
    Dispatcher dispatcher(1);
    static constexpr std::array<std::uint32_t, 3> run_lengths{1, 4, 32};
    const std::size_t agent_count = 1 + random.below(4);
    for (std::size_t a = 0; a < agent_count; ++a) {
      const AgentSpec spec = run_spec("a", run_lengths[random.below(3)], {1'000'000, Overflow::DropNewest});
      dispatcher.add_subscription(dispatcher.add_agent(spec), {});
    }
    std::array<std::array<std::uint64_t, limits::lane_count>, 4> backlog{};
    std::array<std::uint64_t, limits::lane_count> passed{};
    std::array<std::uint64_t, limits::lane_count> weight{1, random.below(4), random.below(4), random.below(4)};
    std::vector<Task> running;
    const auto is_busy = [&](std::size_t a) {
      return std::ranges::any_of(running, [&](const Task& task) { return task.agent.value == a; });
    };
    for (int step = 0; step < 2000; ++step) {
      for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
        if (random.below(8) >= weight[lane]) continue;
        const std::size_t a = random.below(agent_count);
        const std::uint32_t count = static_cast<std::uint32_t>(1 + random.below(40));
        const Route route{SubscriptionId{static_cast<std::uint32_t>(a)}};
        dispatcher.on_run(rig.now, make_run(1, count, static_cast<Priority>(lane)), 0, count,
                          static_cast<StreamKey>(lane), {&route, 1});
        backlog[a][lane] += count;
      }
      std::array<bool, limits::lane_count> is_runnable{};
      for (std::size_t a = 0; a < agent_count; ++a) {
        for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
          is_runnable[lane] = is_runnable[lane] || (!is_busy(a) && backlog[a][lane] > 0);
        }
      }
      if (const auto task = dispatcher.next(rig.now)) {
        const bool others_wait = std::ranges::count(is_runnable, true) > 1;
        ASSERT_LE(task->count, others_wait ? dispatch::run_while_others_wait : 32u);
        for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
          passed[lane] = is_runnable[lane] && lane != lane_index(task->lane) ? passed[lane] + task->count : 0;
          ASSERT_LT(passed[lane], dispatch::starvation_window) << "lane " << lane;
        }
        backlog[task->agent.value][lane_index(task->lane)] -= task->count;
        running.push_back(*task);
      }
      if (running.empty() || random.chance(0.4)) continue;
      const std::size_t chosen = random.below(running.size());
      const Task task = running[chosen];
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(chosen));
      const std::size_t given = random.chance(0.5) ? task.count : 1 + random.below(task.count);
      const std::vector<Answered> answers(given, answered(OutcomeKind::Done));
      dispatcher.on_answers(rig.now, task.id, answers, Outcome::done());
      backlog[task.agent.value][lane_index(task.lane)] += task.count - given;
    }
  }
}

TEST(LaneChooser, ServesTheLanePassedOverMostWhenSeveralAreDue) {
  dispatch::LaneChooser chooser;
  chooser.served(0, 0b1001, 10);
  chooser.served(0, 0b1101, dispatch::passed_over_max);
  EXPECT_EQ(chooser.due(0b1101), 3u);
  chooser.served(3, 0b1101, 1);
  EXPECT_EQ(chooser.due(0b1101), 2u);
  chooser.served(2, 0b1101, 1);
  EXPECT_EQ(chooser.due(0b1101), std::nullopt);
}

TEST(LaneChooser, ALaneThatIsAloneIsNotDue) {
  dispatch::LaneChooser chooser;
  chooser.served(0, 0b1001, dispatch::passed_over_max);
  EXPECT_EQ(chooser.due(0b1000), std::nullopt);
  EXPECT_EQ(chooser.due(0b1001), 3u);
}

TEST(LaneChooser, ATurnThatWasNotUsedComesAgainBehindThoseAlreadyDue) {
  dispatch::LaneChooser chooser;
  chooser.served(0, 0b1101, dispatch::passed_over_max);
  chooser.served(2, 0b1101, 1);
  chooser.turn_unused(2);
  EXPECT_EQ(chooser.due(0b1101), 3u);
  chooser.served(3, 0b1101, 1);
  EXPECT_EQ(chooser.due(0b1101), 2u);
}

}  // namespace legion::test
