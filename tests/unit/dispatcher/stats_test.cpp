#include "rig.hpp"

namespace legion::test {

class DispatcherStatistics : public DispatcherTest {
 protected:
  SubscriptionId all = rig.subscribe(rig.agent("a"));
  HandlerStats handler() { return rig.dispatcher.stats().handlers.at(all.value); }
};

TEST_F(DispatcherStatistics, CountAttemptsErrorsAndRetries) {
  rig.offer({.sequence = 1}, {all});
  rig.finish(Outcome::retry("x"));
  rig.pass(100ms);
  rig.finish();
  rig.offer({.sequence = 2}, {all});
  rig.finish(Outcome::reject("x"));
  rig.offer({.sequence = 3}, {all});
  rig.take();
  const HandlerStats stats = handler();
  EXPECT_EQ(stats.total, 4u);
  EXPECT_EQ(stats.errors, 2u);
  EXPECT_EQ(stats.retries, 1u);
  EXPECT_EQ(stats.in_flight, 1u);
  EXPECT_DOUBLE_EQ(stats.error_rate(), 2.0 / 3.0);
}

TEST_F(DispatcherStatistics, ErrorRateIsZeroBeforeAnythingEnded) { EXPECT_EQ(handler().error_rate(), 0.0); }

TEST_F(DispatcherStatistics, MeasureTheHandlerFromHandOverToAnswer) {
  rig.offer({}, {all});
  const Task task = rig.take();
  rig.pass(20ms);
  rig.answer(task, Outcome::done());
  EXPECT_EQ(handler().handler_time.count(), 1u);
  EXPECT_EQ(handler().handler_time.max(), Duration{20ms});
}

TEST_F(DispatcherStatistics, MeasurePublishToFirstHandOver) {
  rig.offer({.time = rig.now.wall}, {all});
  rig.pass(5ms);
  rig.finish(Outcome::retry("x"));
  rig.pass(100ms);
  rig.finish();
  const auto stats = rig.dispatcher.stats();
  const auto& lane = stats.lanes[lane_index(Priority::Normal)];
  EXPECT_EQ(stats.handlers[all.value].publish_to_dispatch.count(), 1u);
  EXPECT_EQ(stats.handlers[all.value].publish_to_dispatch.max(), Duration{5ms});
  EXPECT_EQ(lane.publish_to_dispatch.count(), 1u);
}

TEST_F(DispatcherStatistics, AClockAheadCountsAsZero) {
  rig.offer({.time = rig.now.wall + 1s}, {all});
  rig.finish();
  EXPECT_EQ(handler().publish_to_dispatch.max(), Duration::zero());
}

TEST_F(DispatcherStatistics, ShowTheLanesAndTheAgents) {
  rig.offer({.stream = 1, .sequence = 1}, {all});
  rig.offer({.stream = 2, .sequence = 2}, {all});
  rig.offer({.stream = 3, .sequence = 3}, {all});
  rig.offer({.stream = 4, .sequence = 4}, {all});
  rig.finish(Outcome::deferred());
  rig.finish(Outcome::retry("x"));
  rig.take();
  const auto stats = rig.dispatcher.stats();
  const auto& lane = stats.lanes[lane_index(Priority::Normal)];
  EXPECT_EQ(lane.enqueued, 4u);
  EXPECT_EQ(lane.dispatched, 3u);
  EXPECT_EQ(lane.depth, 3u);
  const AgentStats& agent = stats.agents.at(0);
  EXPECT_EQ(agent.name, "a");
  EXPECT_EQ(agent.in_flight, 1u);
  EXPECT_EQ(agent.deferred, 1u);
  EXPECT_EQ(agent.retry_waiting, 1u);
  EXPECT_EQ(agent.depth[lane_index(Priority::Normal)], 3u);
}

TEST_F(DispatcherStatistics, ShowWhatWaitsForAnEarlierTier) {
  const auto gate = rig.gate(rig.agent("gate"));
  rig.offer({}, {gate, all});
  EXPECT_EQ(rig.dispatcher.stats().waiting_for_earlier_tier, 1u);
}

TEST_F(DispatcherStatistics, OutcomesAndDeathsHaveNames) {
  EXPECT_EQ(to_string(OutcomeKind::Deferred), "deferred");
  EXPECT_EQ(to_string(DeathReason::GateFailed), "gate_failed");
}

}  // namespace legion::test
