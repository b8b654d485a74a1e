// Runs that are dropped, and runs of agents that go down.
#include "rig.hpp"

namespace legion::test {

using enum OutcomeKind;

class DispatcherRunsDropped : public DispatcherTest {
 protected:
  SubscriptionId narrow(Overflow overflow, std::size_t capacity, std::uint32_t run_events_max = 4) {
    return rig.subscribe(rig.agent(run_spec("narrow", run_events_max, {capacity, overflow})));
  }
};

TEST_F(DispatcherRunsDropped, DropNewestTakesTheTailOfTheNewRun) {
  const auto id = narrow(Overflow::DropNewest, 5);
  rig.offer_run(id, 1, 3);
  rig.offer_run(id, 4, 4);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 2u);
  EXPECT_EQ(rig.dispatcher.stats().lanes[lane_index(Priority::Normal)].enqueued, 5u);
  rig.offer_run(id, 8, 2);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 4u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(DispatcherRunsDropped, DropOldestTakesTheFrontsOfTheOldestRuns) {
  const auto id = narrow(Overflow::DropOldest, 6);
  rig.offer_run(id, 1, 3, 1);
  rig.offer_run(id, 101, 3, 2);
  rig.offer_run(id, 4, 5, 1);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 5u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(103, 4, 5, 6, 7, 8));
}

TEST_F(DispatcherRunsDropped, DropOldestTakesFromARunThatAloneIsTooLong) {
  const auto id = narrow(Overflow::DropOldest, 3);
  rig.offer_run(id, 1, 8);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 5u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(6, 7, 8));
}

TEST_F(DispatcherRunsDropped, DropOldestSparesWhatIsInFlightAndTakesItsRest) {
  const auto id = narrow(Overflow::DropOldest, 6);
  rig.offer_run(id, 1, 6);
  const Task task = rig.take();
  rig.offer_run(id, 7, 5);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 1u);
  rig.report(task, {Done, Done});
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 4, 6, 7, 8, 9, 10, 11));
}

TEST_F(DispatcherRunsDropped, WhatComesBackBehindADroppedRestIsTheOldestAgain) {
  const auto id = narrow(Overflow::DropOldest, 6);
  rig.offer_run(id, 1, 6);
  const Task task = rig.take();
  rig.offer_run(id, 7, 6);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 2u);
  rig.report(task, {Done, Retry});
  EXPECT_EQ(rig.books(id).pending, 9u);
  rig.offer_run(id, 13, 2);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 4u);
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 7, 8, 9, 10, 11, 12, 13, 14));
}

TEST_F(DispatcherRunsDropped, WhatComesBackMayStandAboveTheCapacity) {
  const auto id = narrow(Overflow::DropNewest, 4);
  rig.offer_run(id, 1, 4);
  const Task task = rig.take();
  rig.offer_run(id, 5, 4);
  rig.report(task, {});
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 0u);
  rig.offer_run(id, 9, 2);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 2u);
  EXPECT_THAT(rig.finish_all(), ElementsAreArray(upto(1, 8)));
}

TEST_F(DispatcherRunsDropped, OnlyBookedEventsAreCounted) {
  const auto id = narrow(Overflow::DropOldest, 3);
  rig.offer(make_run(1, 8), 1, {id}, 4);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 2u);
  EXPECT_EQ(rig.books(id).pending, 3u);
}

class DispatcherRunsDown : public DispatcherTest {
 protected:
  AgentId agent = rig.agent(run_spec("a", 8));
  SubscriptionId all = rig.subscribe(agent);
};

TEST_F(DispatcherRunsDown, TheWholeRunComesAgainAndOnlyItsFirstEventUsedAnAttempt) {
  rig.offer_run(all, 1, 20, 1);
  rig.offer_run(all, 101, 2, 2);
  const Task task = rig.take();
  rig.down(agent, "killed by signal 11");
  EXPECT_EQ(rig.books(all).pending, 22u);
  rig.report_all(task);
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 8u);
  EXPECT_EQ(rig.dispatcher.stats().handlers[all.value].errors, 1u);
  EXPECT_EQ(rig.dispatcher.stats().handlers[all.value].total, 1u);
  rig.up(agent);
  const Task first = rig.take();
  EXPECT_THAT(first, is_run(1, 1));
  EXPECT_EQ(first.attempt, 2u);
  rig.report_all(first);
  const Task rest = rig.take();
  EXPECT_EQ(rest.attempt, 1u);
  EXPECT_EQ(rest.sequence(), 2u);
  rig.report_all(rest);
  auto sequences = rig.finish_all();
  std::ranges::sort(sequences);
  auto expected = upto(10, 20);
  expected.insert(expected.end(), {101, 102});
  EXPECT_EQ(sequences, expected);
}

TEST_F(DispatcherRunsDown, AnEventThatKeepsKillingEndsInALetterAndTheRestComesFirst) {
  rig.offer_run(all, 1, 4, 1);
  rig.offer_run(all, 101, 1, 2);
  for (int crash = 0; crash < 3; ++crash) {
    EXPECT_EQ(rig.take().sequence(), 1u);
    rig.down(agent, "killed by signal 11");
    rig.up(agent);
  }
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].event->sequence, 1u);
  EXPECT_EQ(letters[0].death.attempts, 3u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 3, 4, 101));
}

TEST_F(DispatcherRunsDown, ARunWhoseFirstEventDiesAtOnceComesFirstWithoutIt) {
  AgentSpec spec = run_spec("once", 8);
  spec.retry = steady_retry(1);
  const AgentId once = rig.agent(spec);
  const auto id = rig.subscribe(once);
  rig.offer_run(id, 1, 12, 1);
  rig.offer_run(id, 101, 1, 2);
  rig.take();
  rig.down(once);
  rig.up(once);
  EXPECT_THAT(rig.letters(), SizeIs(1));
  auto expected = upto(2, 12);
  expected.push_back(101);
  EXPECT_THAT(rig.finish_all(), ElementsAreArray(expected));
}

TEST_F(DispatcherRunsDown, DeferredEventsAndTheRunInFlightComeBackInOrder) {
  rig.offer_run(all, 1, 3, 1);
  rig.offer_run(all, 101, 3, 2);
  rig.report(rig.take(), {Deferred});
  rig.take();
  rig.down(agent);
  rig.up(agent);
  const auto sequences = rig.finish_all();
  EXPECT_THAT(sequences, SizeIs(6));
  EXPECT_EQ(sequences[0], 1u);
  EXPECT_EQ(sequences[1], 101u);
}

TEST_F(DispatcherRunsDown, AnEarlyAnswerGoesWithItsRun) {
  rig.offer_run(all, 1, 3);
  const Task task = rig.take();
  rig.dispatcher.on_outcome(rig.now, task_of(task, 1), Outcome::done());
  rig.down(agent);
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 1u);
  rig.up(agent);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3));
}

TEST_F(DispatcherRunsDown, EventsStayQueuedUpToTheCapacityInEvents) {
  AgentSpec spec = run_spec("b", 8, {5, Overflow::DropNewest});
  spec.state = AgentState::Down;
  const AgentId down = rig.agent(spec);
  const auto id = rig.subscribe(down);
  rig.offer_run(id, 1, 4);
  rig.offer_run(id, 5, 4);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 3u);
  rig.up(down);
  EXPECT_THAT(rig.finish_all(), ElementsAreArray(upto(1, 5)));
}

}  // namespace legion::test
