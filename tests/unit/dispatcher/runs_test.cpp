#include <set>
#include <utility>

#include <legion/core/dispatcher_lanes.hpp>

#include "rig.hpp"

namespace legion::test {

using enum OutcomeKind;

class DispatcherRuns : public DispatcherTest {
 protected:
  AgentId agent = rig.agent(run_spec("a"));
  SubscriptionId all = rig.subscribe(agent);

  HandlerStats handler(SubscriptionId id) { return rig.dispatcher.stats().handlers.at(id.value); }
  HandlerStats handler() { return handler(all); }
};

TEST_F(DispatcherRuns, AreHandedOverUpToTheAgentsLength) {
  rig.offer_run(all, 1, 40);
  const Task first = rig.take();
  EXPECT_THAT(first, is_run(1, 32));
  EXPECT_TRUE(rig.idle());
  rig.report_all(first);
  EXPECT_THAT(rig.take(), is_run(33, 40));
}

TEST_F(DispatcherRuns, OfAPartOfAFrame) {
  const FramePtr frame = make_run(11, 10);
  const Route route{all};
  rig.dispatcher.on_run(rig.now, frame, 3, 4, 1, {&route, 1});
  const Task task = rig.take();
  EXPECT_THAT(task, is_run(14, 17));
  EXPECT_EQ(task.event(1)->sequence, 15u);
  rig.report_all(task);
  EXPECT_EQ(rig.books(all).delivered, 4u);
}

TEST_F(DispatcherRuns, HaveATaskIdForEveryEvent) {
  rig.offer_run(all, 1, 3);
  rig.offer_run(all, 4, 3, 2);
  const Task first = rig.take();
  rig.report_all(first);
  const Task second = rig.take();
  std::set<TaskId> ids;
  for (const Task& task : {first, second}) {
    for (std::uint32_t k = 0; k < task.count; ++k) ids.insert(task_of(task, k));
  }
  EXPECT_THAT(ids, SizeIs(6));
}

TEST_F(DispatcherRuns, AreSingleEventsWithoutTheAgentsConsent) {
  AgentSpec slow = run_spec("slow");
  slow.handler_timeout = 1s;
  AgentSpec wide = run_spec("wide");
  wide.concurrency = 4;
  for (const AgentSpec& spec : {agent_spec("plain"), slow, wide}) {
    Rig fresh;
    const auto id = fresh.subscribe(fresh.agent(spec));
    fresh.offer_run(id, 1, 3);
    const Task task = fresh.take();
    EXPECT_EQ(task.count, 1u) << spec.name;
    fresh.answer(task, Outcome::done());
    EXPECT_THAT(fresh.finish_all(), ElementsAre(2, 3)) << spec.name;
  }
}

TEST_F(DispatcherRuns, AreNotTakenApartByASingleEventAgentThatRetries) {
  const auto plain = rig.subscribe(rig.agent("plain"));
  rig.offer_run(plain, 1, 4);
  rig.offer_run(plain, 10, 2, 2);
  rig.finish();
  rig.finish(Outcome::retry("x"));
  EXPECT_THAT(rig.finish_all(), ElementsAre(10, 11));
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 3, 4));
}

TEST_F(DispatcherRuns, AreSplitAtTheBaseline) {
  rig.offer(make_run(1, 10), 1, {all}, 4);
  EXPECT_EQ(rig.books(all).published, 7u);
  EXPECT_EQ(rig.books(all).pending, 7u);
  const Task unbooked = rig.take();
  EXPECT_THAT(unbooked, is_run(1, 3));
  rig.report_all(unbooked);
  EXPECT_EQ(rig.books(all).delivered, 0u);
  const Task booked = rig.take();
  EXPECT_THAT(booked, is_run(4, 10));
  rig.report_all(booked);
  EXPECT_EQ(rig.books(all).delivered, 7u);
}

TEST_F(DispatcherRuns, AreWhollyInOrOutsideTheBooksAtTheEdges) {
  rig.offer(make_run(1, 3), 1, {all}, 4);
  rig.offer(make_run(4, 3), 1, {all}, 4);
  EXPECT_EQ(rig.books(all).published, 3u);
  EXPECT_THAT(rig.take(), is_run(1, 3));
}

TEST_F(DispatcherRuns, TheRestOfAPartlyTakenRunComesBeforeLaterOnes) {
  rig.offer_run(all, 1, 40, 1);
  rig.offer_run(all, 101, 5, 2);
  rig.report_all(rig.take());
  const Task rest = rig.take();
  EXPECT_THAT(rest, is_run(33, 40));
  rig.report_all(rest);
  EXPECT_THAT(rig.take(), is_run(101, 105));
}

TEST_F(DispatcherRuns, WhatWasNotGivenToTheHandlerComesBackFirstAndUntouched) {
  rig.offer_run(all, 1, 40, 1);
  rig.offer_run(all, 101, 5, 2);
  rig.report(rig.take(), {Done, Done, Done, Done});
  const Task again = rig.take();
  EXPECT_THAT(again, is_run(5, 36));
  EXPECT_EQ(again.attempt, 1u);
  rig.report(again, {});
  auto expected = upto(5, 40);
  expected.insert(expected.end(), {101, 102, 103, 104, 105});
  EXPECT_THAT(rig.finish_all(), ElementsAreArray(expected));
  EXPECT_EQ(rig.books(all).delivered, 45u);
  EXPECT_EQ(handler().total, 45u);
}

TEST_F(DispatcherRuns, WhatComesBackOfARunTakenWholeComesFirst) {
  rig.offer_run(all, 1, 5, 1);
  rig.offer_run(all, 11, 5, 2);
  rig.report(rig.take(), {Done, Done});
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 4, 5, 11, 12, 13, 14, 15));
}

TEST_F(DispatcherRuns, GiveWayToAMoreUrgentEventAndGoOnAfterIt) {
  rig.offer_run(all, 1, 8, 1);
  const Task task = rig.take();
  EXPECT_EQ(rig.dispatcher.most_urgent(agent), std::nullopt);
  rig.offer_run(all, 101, 1, 2, Priority::Critical);
  EXPECT_EQ(rig.dispatcher.most_urgent(agent), Priority::Critical);
  rig.report(task, {Done});
  EXPECT_THAT(rig.finish_all(), ElementsAre(101, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(DispatcherRuns, LaterEventsOfTheStreamWaitForARetryInTheMiddleOthersRun) {
  rig.offer_run(all, 1, 6, 1);
  rig.offer_run(all, 101, 2, 2);
  rig.report(rig.take(), 2, Retry, "no price");
  EXPECT_EQ(rig.books(all).delivered, 2u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(101, 102));
  rig.pass(100ms);
  const Task again = rig.take();
  EXPECT_THAT(again, is_run(3, 3));
  EXPECT_EQ(again.attempt, 2u);
  rig.report_all(again);
  const Task rest = rig.take();
  EXPECT_THAT(rest, is_run(4, 6));
  EXPECT_EQ(rest.attempt, 1u);
}

TEST_F(DispatcherRuns, ARetryInAPartlyTakenRunHoldsItsRestToo) {
  rig.offer_run(all, 1, 40, 1);
  rig.offer_run(all, 101, 1, 2);
  rig.report(rig.take(), 2, Retry, "x");
  EXPECT_THAT(rig.finish_all(), ElementsAre(101));
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAreArray(upto(3, 40)));
}

TEST_F(DispatcherRuns, ARetryOfTheLastOneLeavesTheRestBehindIt) {
  rig.offer_run(all, 1, 33, 1);
  rig.report(rig.take(), 31, Retry, "x");
  EXPECT_TRUE(rig.idle());
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(32, 33));
}

TEST_F(DispatcherRuns, ARetryThatWasTheLastAttemptIsADeadLetterAndTheRestComesFirst) {
  AgentSpec spec = run_spec("once");
  spec.retry = steady_retry(1);
  const auto once = rig.subscribe(rig.agent(spec));
  rig.offer_run(once, 1, 4, 1);
  rig.offer_run(once, 101, 1, 2);
  rig.report(rig.take(), 1, Retry, "x");
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].event->sequence, 2u);
  EXPECT_EQ(letters[0].death.reason, DeathReason::HandlerError);
  EXPECT_EQ(letters[0].death.attempts, 1u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 4, 101));
}

TEST_F(DispatcherRuns, ADeferredOneInTheMiddleKeepsItsTaskId) {
  rig.offer_run(all, 1, 6, 1);
  rig.offer_run(all, 101, 2, 2);
  const Task task = rig.take();
  rig.report(task, 2, Deferred);
  EXPECT_THAT(rig.finish_all(), ElementsAre(101, 102));
  EXPECT_EQ(rig.dispatcher.stats().agents[agent.value].deferred, 1u);
  rig.dispatcher.on_outcome(rig.now, task_of(task, 2), Outcome::done());
  rig.check();
  EXPECT_EQ(rig.books(all).delivered, 5u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(4, 5, 6));
}

TEST_F(DispatcherRuns, ADeferredOneMayStillFail) {
  rig.offer_run(all, 1, 3);
  const Task task = rig.take();
  rig.report(task, 0, Deferred);
  rig.dispatcher.on_outcome(rig.now, task.id, Outcome::retry("x"));
  rig.pass(100ms);
  EXPECT_EQ(rig.take().attempt, 2u);
}

TEST_F(DispatcherRuns, ARejectedOneIsADeadLetterAndTheRestComesFirst) {
  const FramePtr frame = rig.offer_run(all, 1, 4, 1);
  rig.offer_run(all, 101, 1, 2);
  rig.report(rig.take(), 1, Reject, "bad");
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].event, Frame::event_ptr(frame, 1));
  EXPECT_EQ(letters[0].death.reason, DeathReason::Rejected);
  EXPECT_EQ(letters[0].death.error, "bad");
  EXPECT_EQ(letters[0].death.attempts, 1u);
  EXPECT_EQ(handler().errors, 1u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 4, 101));
}

TEST_F(DispatcherRuns, StoppedOnesAreDelivered) {
  rig.offer_run(all, 1, 3);
  rig.report(rig.take(), {Done, Stop, Stop});
  EXPECT_EQ(rig.books(all).delivered, 3u);
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRuns, ExpiredAndUndecodableOnesAreCountedNotHandedOver) {
  std::vector<EventSpec> specs(6, {.expires_at = rig.now.wall + 1s});
  specs[0].expires_at = std::nullopt;
  specs[2].bytes = broken;
  const FramePtr frame = make_frame(specs);
  rig.offer(frame, 1, {all});
  rig.pass(2s);
  const Task task = rig.take();
  EXPECT_EQ(fate_before_handling(*task.event(0), rig.now), std::nullopt);
  EXPECT_EQ(fate_before_handling(*task.event(1), rig.now), Expired);
  EXPECT_EQ(fate_before_handling(*task.event(2), rig.now), Undecodable);
  rig.report(task, {Done, Expired, Undecodable, Expired});
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].event, Frame::event_ptr(frame, 2));
  EXPECT_EQ(letters[0].death.reason, DeathReason::Undecodable);
  EXPECT_EQ(letters[0].death.error, defect_text);
  EXPECT_EQ(letters[0].death.attempts, 0u);
  const Books books = rig.books(all);
  EXPECT_EQ(books.expired, 2u);
  EXPECT_EQ(books.dead, 1u);
  EXPECT_EQ(books.delivered, 1u);
  EXPECT_EQ(books.pending, 2u);
  EXPECT_EQ(handler().total, 1u);
  EXPECT_EQ(handler().handler_time.count(), 1u);
  EXPECT_EQ(rig.dispatcher.stats().lanes[lane_index(Priority::Normal)].dispatched, 1u);
}

TEST_F(DispatcherRuns, WhatIsRefusedForItsDataIsADeadLetterAndTheRestGoesOn) {
  const FramePtr frame = rig.offer_run(all, 1, 4);
  rig.report(rig.take(), {Done, OutcomeKind::Unfit}, "price: expected a number");
  rig.report(rig.take(), {OutcomeKind::UnknownVersion}, "version 9");
  rig.report_all(rig.take());
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_EQ(letters[0].event, Frame::event_ptr(frame, 1));
  EXPECT_EQ(letters[0].death.reason, DeathReason::Schema);
  EXPECT_EQ(letters[0].death.error, "price: expected a number");
  EXPECT_EQ(letters[0].death.attempts, 0u);
  EXPECT_EQ(letters[1].death.reason, DeathReason::UnknownVersion);
  EXPECT_EQ(letters[1].death.error, "version 9");
  EXPECT_EQ(rig.books(all).dead, 2u);
  EXPECT_EQ(rig.books(all).delivered, 2u);
  EXPECT_EQ(handler().total, 2u) << "it was not given to the handler";
  EXPECT_EQ(handler().errors, 0u);
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRuns, AnEventIsGoodUntilItsExpiryTime) {
  const FramePtr frame = make_frame({.expires_at = rig.now.wall});
  EXPECT_EQ(fate_before_handling(frame->events()[0], rig.now), std::nullopt);
}

TEST_F(DispatcherRuns, SingleEventAgentsNeverSeeExpiredOrUndecodableOnes) {
  const auto plain = rig.subscribe(rig.agent("plain"));
  std::vector<EventSpec> specs(4);
  specs[0].expires_at = rig.now.wall + -1ns;
  specs[2].bytes = broken;
  rig.offer(make_frame(specs), 1, {plain});
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 4));
  EXPECT_EQ(rig.books(plain).expired, 1u);
  EXPECT_EQ(rig.books(plain).dead, 1u);
  EXPECT_THAT(rig.letters(), SizeIs(1));
}

TEST_F(DispatcherRuns, AnAnswerBeforeTheReportIsKeptForIt) {
  rig.offer_run(all, 1, 4);
  const Task task = rig.take();
  rig.dispatcher.on_outcome(rig.now, task_of(task, 1), Outcome::done());
  rig.check();
  EXPECT_EQ(rig.books(all).delivered, 0u);
  rig.report(task, 1, Deferred);
  EXPECT_EQ(rig.books(all).delivered, 2u);
  EXPECT_EQ(handler().deferrals, 1u);
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 0u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 4));
}

TEST_F(DispatcherRuns, AnEarlyAnswerToARunOfOneIsKeptToo) {
  rig.offer_run(all, 1, 1);
  const Task task = rig.take();
  rig.answer(task, Outcome::reject("late no"));
  rig.report(task, {Deferred});
  EXPECT_EQ(rig.books(all).dead, 1u);
  EXPECT_EQ(rig.letters().at(0).death.error, "late no");
}

TEST_F(DispatcherRuns, AnEarlyAnswerToWhatWasNotDeferredIsStale) {
  rig.offer_run(all, 1, 4);
  const Task task = rig.take();
  rig.dispatcher.on_outcome(rig.now, task_of(task, 0), Outcome::done());
  rig.dispatcher.on_outcome(rig.now, task_of(task, 2), Outcome::done());
  rig.dispatcher.on_outcome(rig.now, task_of(task, 2), Outcome::done());
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 1u);
  rig.report(task, {Done, Done});
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 3u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 4));
}

TEST_F(DispatcherRuns, ASecondReportIsStale) {
  rig.offer_run(all, 1, 4);
  const Task task = rig.take();
  rig.report(task, 1, Deferred);
  rig.report(task, {Done, Done, Done});
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 3u);
  EXPECT_EQ(rig.books(all).delivered, 1u);
}

TEST_F(DispatcherRuns, AreSingleEventsWhenTwoHandlersOfTheAgentWantThem) {
  const auto also = rig.subscribe(agent);
  EXPECT_TRUE(rig.dispatcher.needs_events(std::vector<Route>{{all}, {also}}));
  rig.offer(make_run(1, 3), 1, {all, also});
  std::vector<std::pair<std::uint32_t, std::uint64_t>> order;
  while (const auto task = rig.next()) {
    EXPECT_EQ(task->count, 1u);
    order.emplace_back(task->subscription.value, task->sequence());
    rig.report_all(*task);
  }
  EXPECT_THAT(order, ElementsAre(std::pair(0, 1), std::pair(1, 1), std::pair(0, 2), std::pair(1, 2), std::pair(0, 3),
                                 std::pair(1, 3)));
}

TEST_F(DispatcherRuns, AreSingleEventsWhenThereAreSeveralTiers) {
  const auto gate = rig.gate(rig.agent(run_spec("gate")));
  EXPECT_TRUE(rig.dispatcher.needs_events(std::vector<Route>{{gate}, {all}}));
  EXPECT_FALSE(rig.dispatcher.needs_events(std::vector<Route>{{all}}));
  rig.offer(make_run(1, 3), 1, {gate, all});
  std::vector<std::uint64_t> asked;
  std::vector<std::uint64_t> delivered;
  while (const auto task = rig.next()) {
    EXPECT_EQ(task->count, 1u);
    const std::uint64_t sequence = task->sequence();
    (task->subscription == gate ? asked : delivered).push_back(sequence);
    EXPECT_THAT(asked, testing::Contains(sequence));
    rig.report(*task, {task->subscription == gate && sequence == 2 ? Stop : Done});
  }
  EXPECT_THAT(asked, ElementsAre(1, 2, 3));
  EXPECT_THAT(delivered, ElementsAre(1, 3));
  EXPECT_EQ(rig.books(all).filtered.stopped, 1u);
}

TEST_F(DispatcherRuns, OfAGateAloneAreRuns) {
  const auto gate = rig.gate(rig.agent(run_spec("gate")));
  rig.offer_run(gate, 1, 3);
  EXPECT_THAT(rig.take(), is_run(1, 3));
}

TEST_F(DispatcherRuns, ATieredEventThatExpiredAtTheGateIsExpiredBelow) {
  const auto gate = rig.gate(rig.agent(run_spec("gate")));
  rig.offer({.expires_at = rig.now.wall}, {gate, all});
  rig.pass(1s);
  rig.report(rig.take(), {Expired});
  EXPECT_EQ(rig.books(gate).expired, 1u);
  EXPECT_EQ(rig.books(all).expired, 1u);
}

TEST_F(DispatcherRuns, GoToEachAgentInItsOwnWay) {
  const auto keyed = rig.subscribe(rig.agent(agent_spec("keyed", 4)));
  EXPECT_TRUE(rig.dispatcher.needs_events(std::vector<Route>{{all}, {keyed}}));
  const auto single = rig.subscribe(rig.agent(agent_spec("single", 1)));
  EXPECT_TRUE(rig.dispatcher.needs_events(std::vector<Route>{{single}}));
  rig.offer(make_run(1, 3), 1, {all, keyed});
  std::size_t runs = 0;
  std::size_t singles = 0;
  while (const auto task = rig.next()) {
    ++(task->subscription == all ? runs : singles);
    EXPECT_EQ(task->count, task->subscription == all ? 3u : 1u);
  }
  EXPECT_EQ(runs, 1u);
  EXPECT_EQ(singles, 3u);
}

TEST_F(DispatcherRuns, AreShorterWhileAnotherLaneWaits) {
  rig.offer_run(all, 1, 64, 1, Priority::High);
  rig.offer_run(all, 101, 2, 2, Priority::Low);
  const Task task = rig.take();
  EXPECT_THAT(task, is_run(1, 16));
}

TEST_F(DispatcherRuns, AreSingleEventsForALaneThatIsDue) {
  rig.offer_run(all, 1001, 8, 2, Priority::Low);
  rig.offer_run(all, 1, 200, 1, Priority::High);
  std::uint32_t high = 0;
  Task task = rig.take();
  for (; task.lane == Priority::High; task = rig.take()) {
    high += task.count;
    rig.report_all(task);
  }
  EXPECT_EQ(task.count, 1u);
  EXPECT_LT(high, dispatch::starvation_window);
  rig.report_all(task);
  EXPECT_EQ(rig.take().lane, Priority::High);
}

TEST_F(DispatcherRuns, ATurnThatOnlyFoundExpiredEventsIsNotUsedUp) {
  rig.offer_run(all, 1001, 8, 2, Priority::Low);
  rig.offer_run(all, 1, 200, 1, Priority::High);
  Task task = rig.take();
  for (; task.lane == Priority::High; task = rig.take()) rig.report_all(task);
  rig.report_all(task, Expired);
  const Task next = rig.take();
  EXPECT_EQ(next.lane, Priority::Low);
  rig.report_all(next);
  EXPECT_EQ(rig.take().lane, Priority::High);
}

TEST_F(DispatcherRuns, CountEventsInFlightAndWhenReported) {
  rig.offer_run(all, 1, 40);
  const Task task = rig.take();
  const auto stats = rig.dispatcher.stats();
  EXPECT_EQ(stats.agents[agent.value].in_flight, 32u);
  EXPECT_EQ(stats.handlers[all.value].in_flight, 32u);
  EXPECT_EQ(stats.handlers[all.value].total, 0u);
  EXPECT_EQ(stats.lanes[lane_index(Priority::Normal)].enqueued, 40u);
  EXPECT_EQ(stats.lanes[lane_index(Priority::Normal)].depth, 8u);
  EXPECT_EQ(rig.dispatcher.lane_depths()[lane_index(Priority::Normal)], 8u);
  rig.report(task, 3, Retry, "x");
  EXPECT_EQ(handler().total, 4u);
  EXPECT_EQ(handler().ended, 4u);
  EXPECT_EQ(handler().errors, 1u);
  EXPECT_DOUBLE_EQ(handler().error_rate(), 0.25);
  EXPECT_EQ(handler().in_flight, 0u);
  EXPECT_EQ(handler().publish_to_dispatch.max(), Duration{2us});
  EXPECT_EQ(handler().handler_time.count(), 4u);
  EXPECT_EQ(handler().handler_time.max(), Duration{3us});
}

TEST_F(DispatcherRuns, DrainCountsEventsAfterTheBaseline) {
  rig.dispatcher.begin_drain();
  rig.offer(make_run(1, 10), 1, {all}, 8);
  EXPECT_EQ(rig.books(all).published, 3u);
  EXPECT_EQ(rig.lost(all, LossReason::Shutdown), 3u);
}

TEST_F(DispatcherRuns, CloseCountsEveryEventHeldAsLost) {
  rig.offer_run(all, 1, 40);
  const Task task = rig.take();
  rig.dispatcher.on_outcome(rig.now, task.id, Outcome::done());
  rig.dispatcher.close(rig.now);
  rig.check();
  EXPECT_TRUE(rig.dispatcher.drained());
  EXPECT_EQ(rig.lost(all, LossReason::Shutdown), 40u);
  rig.report(task, {Deferred});
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 2u);
}

}  // namespace legion::test
