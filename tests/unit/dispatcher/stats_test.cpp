#include <map>

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

/// Whoever fills a mailbox from a store asks before it reads.
TEST_F(DispatcherStatistics, RoomIsWhatALaneTakesBeforeItLosesAnything) {
  const AgentId small = rig.agent(agent_spec("small", 1, {4, Overflow::DropNewest}));
  const SubscriptionId sub = rig.subscribe(small);
  const auto& d = rig.dispatcher;
  EXPECT_EQ(d.capacity(small, Priority::Normal), 4u);
  EXPECT_EQ(d.agent_of(sub), small);
  EXPECT_EQ(d.room(small, Priority::Normal), 4u);
  for (std::uint64_t n = 1; n <= 3; ++n) rig.offer({.sequence = n}, {sub});
  EXPECT_EQ(d.room(small, Priority::Normal), 1u);
  EXPECT_EQ(d.room(small, Priority::High), 4u);
  EXPECT_EQ(d.held(small, Priority::Normal), 3u);
  const Task running = rig.take();
  EXPECT_EQ(d.room(small, Priority::Normal), 2u);
  EXPECT_EQ(d.held(small, Priority::Normal), 3u);
  const auto room = static_cast<std::uint64_t>(d.room(small, Priority::Normal));
  for (std::uint64_t n = 0; n < room; ++n) rig.offer({.sequence = 4 + n}, {sub});
  EXPECT_EQ(d.room(small, Priority::Normal), 0u);
  EXPECT_EQ(rig.lost(sub, LossReason::Overflow), 0u);
  rig.offer({.sequence = 9}, {sub});
  EXPECT_EQ(rig.lost(sub, LossReason::Overflow), 1u);
  rig.answer(running, Outcome::done());
  EXPECT_EQ(d.held(small, Priority::Normal), 4u);
}

TEST_F(DispatcherStatistics, ShowWhatWaitsForAnEarlierTier) {
  const auto gate = rig.gate(rig.agent("gate"));
  rig.offer({}, {gate, all});
  EXPECT_EQ(rig.dispatcher.stats().waiting_for_earlier_tier, 1u);
}

TEST_F(DispatcherStatistics, OutcomesAndDeathsHaveNames) {
  const std::map<OutcomeKind, std::string_view> names{{OutcomeKind::Done, "done"},
                                                      {OutcomeKind::Stop, "stop"},
                                                      {OutcomeKind::Reject, "reject"},
                                                      {OutcomeKind::Retry, "retry"},
                                                      {OutcomeKind::Deferred, "deferred"},
                                                      {OutcomeKind::Expired, "expired"},
                                                      {OutcomeKind::Undecodable, "undecodable"}};
  for (const auto& [kind, name] : names) EXPECT_EQ(to_string(kind), name);
  EXPECT_EQ(to_string(DeathReason::GateFailed), "gate_failed");
}

}  // namespace legion::test
