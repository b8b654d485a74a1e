#include "rig.hpp"

#include <array>

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
    if (task.event->sequence == 77) break;
    offer(task.agent == AgentId{0} ? a : b, task.lane);
    if (running) rig.answer(*running, Outcome::done());
    running = task;
  }
  EXPECT_LT(hand_overs, 300);
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
        dispatcher.on_event(rig.now, make_event({.lane = static_cast<Priority>(lane)}), 1, {&route, 1});
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

TEST(LaneChooser, ServesTheLanePassedOverMostWhenSeveralAreDue) {
  dispatch::LaneChooser chooser;
  for (int i = 0; i < 10; ++i) chooser.served(0, 0b1001);
  for (int i = 0; i < 61; ++i) chooser.served(0, 0b1101);
  EXPECT_EQ(chooser.due(0b1101), 3u);
  chooser.served(3, 0b1101);
  EXPECT_EQ(chooser.due(0b1101), 2u);
  chooser.served(2, 0b1101);
  EXPECT_EQ(chooser.due(0b1101), std::nullopt);
  EXPECT_EQ(chooser.choose(0b1101), 0u);
}

}  // namespace legion::test
