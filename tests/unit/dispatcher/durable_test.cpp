// Durable deliveries: never dropped, reported, retried with permission, expired means dead.
#include "rig.hpp"

namespace legion::test {

class DispatcherDurable : public DispatcherTest {
 protected:
  static constexpr StreamKey stream = 5;

  /// All events of the frame to this subscription (a durable delivery) and to the gates and plain ones.
  void offer(const FramePtr& frame, SubscriptionId durable, const std::vector<SubscriptionId>& others = {}) {
    std::vector<Route> routes{{.subscription = durable, .durable = stream}};
    for (const SubscriptionId id : others) routes.push_back({.subscription = id});
    rig.dispatcher.on_run(rig.now, frame, 0, frame->header().event_count, others.empty() ? no_stream : 1, routes);
    rig.check();
  }
  void offer_again(const EventSpec& spec, SubscriptionId durable, const Earlier& earlier,
                   const std::vector<SubscriptionId>& gates = {}) {
    std::vector<Route> routes{{.subscription = durable, .durable = stream}};
    for (const SubscriptionId id : gates) routes.push_back({.subscription = id, .booked_from = ~std::uint64_t{0}});
    rig.dispatcher.on_again(rig.now, make_frame(spec), 0, routes, earlier);
    rig.check();
  }
  DurableReports reports() { return rig.dispatcher.drain_durable(); }
  void permit(const AttemptFailed& failure) {
    rig.dispatcher.permit_retry(rig.now, failure.permit);
    rig.check();
  }
  /// first .. last of the completed, which have to be of this stream and subscription.
  static std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges(const DurableReports& reports, SubscriptionId id) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
    for (const Completed& completed : reports.completed) {
      EXPECT_EQ(completed.subscription, id);
      EXPECT_EQ(completed.stream, stream);
      out.emplace_back(completed.first, completed.first + completed.count - 1);
    }
    return out;
  }

  AgentId agent = rig.agent(agent_spec("a", 1, {.capacity = 2}));
  SubscriptionId sub = rig.subscribe(agent);
};

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

TEST_F(DispatcherDurable, NothingIsDroppedWhateverTheCapacity) {
  offer(make_run(1, 10), sub);
  EXPECT_EQ(rig.books(sub).pending, 10u);
  EXPECT_THAT(rig.finish_all(), ElementsAreArray(upto(1, 10)));
  EXPECT_EQ(rig.books(sub).delivered, 10u);
}

TEST_F(DispatcherDurable, TheRoomOfPlainDeliveriesIsTheirOwn) {
  const auto plain = rig.subscribe(agent);
  offer(make_run(1, 10), sub);
  rig.offer_run(plain, 1, 3, 2);
  EXPECT_EQ(rig.lost(plain, LossReason::Overflow), 1u);
  EXPECT_EQ(rig.books(sub).pending, 10u);
  EXPECT_EQ(rig.books(plain).pending, 2u);
}

TEST_F(DispatcherDurable, WhatIsConsecutiveIsToldAsOne) {
  offer(make_run(7, 4), sub);
  EXPECT_FALSE(rig.dispatcher.has_durable_reports());
  rig.finish_all();
  EXPECT_TRUE(rig.dispatcher.has_durable_reports());
  EXPECT_EQ(ranges(reports(), sub), (Ranges{{7, 10}}));
  EXPECT_FALSE(rig.dispatcher.has_durable_reports());
}

TEST_F(DispatcherDurable, PlainDeliveriesAreNotReported) {
  rig.offer({}, {sub});
  rig.finish();
  EXPECT_TRUE(reports().empty());
}

TEST_F(DispatcherDurable, RunsAreReportedAsFarAsTheyCame) {
  const auto quick = rig.subscribe(rig.agent(run_spec("quick")));
  offer(make_run(1, 6), quick);
  rig.report(rig.take(), 3, OutcomeKind::Done);
  EXPECT_EQ(ranges(reports(), quick), (Ranges{{1, 4}}));
  EXPECT_THAT(rig.finish_all(), ElementsAre(5, 6));
  EXPECT_EQ(ranges(reports(), quick), (Ranges{{5, 6}}));
}

TEST_F(DispatcherDurable, ARetryWaitsForItsPermit) {
  offer(make_run(3, 1), sub);
  rig.finish(Outcome::retry("no route"));
  const auto told = reports();
  ASSERT_THAT(told.failures, SizeIs(1));
  EXPECT_EQ(told.failures[0].sequence, 3u);
  EXPECT_EQ(told.failures[0].stream, stream);
  EXPECT_EQ(told.failures[0].so_far.attempts, 1u);
  EXPECT_EQ(told.failures[0].so_far.error, "no route");
  EXPECT_THAT(told.completed, IsEmpty());
  rig.pass(1h);
  EXPECT_TRUE(rig.idle());
  permit(told.failures[0]);
  EXPECT_EQ(rig.finish().attempt, 2u);
  EXPECT_EQ(ranges(reports(), sub), (Ranges{{3, 3}}));
}

TEST_F(DispatcherDurable, AnEarlyPermitDoesNotShortenTheDelay) {
  offer(make_run(3, 1), sub);
  rig.finish(Outcome::retry("x"));
  permit(reports().failures.at(0));
  rig.pass(99ms);
  EXPECT_TRUE(rig.idle());
  rig.pass(1ms);
  EXPECT_EQ(rig.take().attempt, 2u);
}

TEST_F(DispatcherDurable, EveryRetryNeedsAPermitOfItsOwn) {
  offer(make_run(3, 1), sub);
  rig.finish(Outcome::retry("x"));
  const auto first = reports().failures.at(0);
  permit(first);
  permit(first);
  rig.pass(100ms);
  rig.finish(Outcome::retry("y"));
  permit(first);
  rig.pass(1h);
  EXPECT_TRUE(rig.idle());
  const auto second = reports().failures.at(0);
  EXPECT_EQ(second.so_far.attempts, 2u);
  permit(second);
  rig.finish(Outcome::retry("z"));
  const auto told = reports();
  ASSERT_THAT(told.letters, SizeIs(1));
  EXPECT_EQ(told.letters[0].death.attempts, 3u);
  EXPECT_EQ(told.letters[0].durable, stream);
  EXPECT_EQ(told.letters[0].frame->header().first_sequence + told.letters[0].index, 3u);
  EXPECT_EQ(ranges(told, sub), (Ranges{{3, 3}}));
  EXPECT_THAT(rig.letters(), IsEmpty());
}

TEST_F(DispatcherDurable, AnAnswerUnderThePermitIsStale) {
  offer(make_run(3, 1), sub);
  rig.finish(Outcome::retry("x"));
  const auto failure = reports().failures.at(0);
  rig.dispatcher.on_outcome(rig.now, failure.permit, Outcome::done());
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 1u);
  rig.check();
  permit(failure);
  rig.pass(100ms);
  EXPECT_EQ(rig.take().attempt, 2u);
}

TEST_F(DispatcherDurable, TheRestOfItsStreamWaitsBehindARetryWithoutPermit) {
  offer(make_run(1, 2), sub);
  const auto plain = rig.subscribe(agent);
  rig.offer_run(plain, 1, 1, 2);
  rig.finish(Outcome::retry("x"));
  rig.pass(1s);
  EXPECT_EQ(rig.take().subscription, plain);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherDurable, WhatAnAgentHadWhenItWentDownNeedsAPermitToo) {
  offer(make_run(1, 2), sub);
  rig.take();
  rig.down(agent);
  rig.up(agent);
  EXPECT_TRUE(rig.idle());
  permit(reports().failures.at(0));
  const Task again = rig.take();
  EXPECT_EQ(again.sequence(), 1u);
  EXPECT_EQ(again.attempt, 2u);
}

TEST_F(DispatcherDurable, OfARunInFlightOnlyTheFirstFailsWhenTheAgentGoesDown) {
  const AgentId quick = rig.agent(run_spec("quick"));
  const auto id = rig.subscribe(quick);
  offer(make_run(1, 5), id);
  rig.take();
  rig.down(quick);
  rig.up(quick);
  EXPECT_TRUE(rig.idle());
  const auto told = reports();
  ASSERT_THAT(told.failures, SizeIs(1));
  EXPECT_EQ(told.failures[0].sequence, 1u);
  permit(told.failures[0]);
  EXPECT_THAT(rig.finish_all(), ElementsAreArray(upto(1, 5)));
  EXPECT_EQ(ranges(reports(), id), (Ranges{{1, 5}}));
}

TEST_F(DispatcherDurable, ATimeoutNeedsAPermitToo) {
  AgentSpec spec = agent_spec("slow");
  spec.handler_timeout = 30ms;
  const auto slow = rig.subscribe(rig.agent(spec));
  offer(make_run(1, 1), slow);
  rig.take();
  rig.pass(30ms);
  rig.pass(1h);
  EXPECT_TRUE(rig.idle());
  permit(reports().failures.at(0));
  EXPECT_EQ(rig.take().attempt, 2u);
}

TEST_F(DispatcherDurable, ExpiredIsADeadLetter) {
  offer(make_frame({.sequence = 4, .expires_at = rig.now.wall + -1s}), sub);
  EXPECT_FALSE(rig.next());
  const auto told = reports();
  ASSERT_THAT(told.letters, SizeIs(1));
  EXPECT_EQ(told.letters[0].death.reason, DeathReason::Expired);
  EXPECT_EQ(told.letters[0].death.attempts, 0u);
  EXPECT_EQ(ranges(told, sub), (Ranges{{4, 4}}));
  EXPECT_EQ(rig.books(sub).dead, 1u);
  EXPECT_EQ(rig.books(sub).expired, 0u);
}

TEST_F(DispatcherDurable, ExpiredInARunIsADeadLetter) {
  const auto quick = rig.subscribe(rig.agent(run_spec("quick")));
  offer(make_run(1, 3), quick);
  rig.report(rig.take(), {OutcomeKind::Done, OutcomeKind::Expired, OutcomeKind::Undecodable});
  const auto told = reports();
  ASSERT_THAT(told.letters, SizeIs(2));
  EXPECT_EQ(told.letters[0].death.reason, DeathReason::Expired);
  EXPECT_EQ(told.letters[0].event->sequence, 2u);
  EXPECT_EQ(told.letters[1].death.reason, DeathReason::Undecodable);
  EXPECT_EQ(ranges(told, quick), (Ranges{{1, 3}}));
}

TEST_F(DispatcherDurable, UndecodableIsReportedAtOnce) {
  offer(make_frame({.sequence = 4, .bytes = broken}), sub, {rig.gate(rig.agent("gate"))});
  const auto told = reports();
  ASSERT_THAT(told.letters, SizeIs(1));
  EXPECT_EQ(ranges(told, sub), (Ranges{{4, 4}}));
}

TEST_F(DispatcherDurable, AGateKeepsWhatADurableDeliveryWaitsFor) {
  const AgentId gate_agent = rig.agent(agent_spec("gate", 1, {.capacity = 1}));
  const auto gate = rig.gate(gate_agent);
  offer(make_run(1, 5), sub, {gate});
  EXPECT_EQ(rig.lost(gate, LossReason::Overflow), 0u);
  while (const auto task = rig.next()) rig.answer(*task, Outcome::done());
  EXPECT_EQ(rig.books(sub).delivered, 5u);
  EXPECT_EQ(ranges(reports(), sub), (Ranges{{1, 5}}));
}

TEST_F(DispatcherDurable, WhatAGateStopsIsOver) {
  const auto gate = rig.gate(rig.agent("gate"));
  offer(make_run(1, 1), sub, {gate});
  rig.finish(Outcome::stop());
  EXPECT_EQ(ranges(reports(), sub), (Ranges{{1, 1}}));
  EXPECT_EQ(rig.books(sub).filtered.stopped, 1u);
}

TEST_F(DispatcherDurable, WhatAGateFailsOnIsALetter) {
  AgentSpec spec = agent_spec("gate");
  spec.retry = steady_retry(1);
  const auto gate = rig.gate(rig.agent(spec));
  offer(make_run(1, 1), sub, {gate});
  rig.finish(Outcome::retry("gate is confused"));
  const auto told = reports();
  ASSERT_THAT(told.letters, SizeIs(1));
  EXPECT_EQ(told.letters[0].death.reason, DeathReason::GateFailed);
  EXPECT_EQ(ranges(told, sub), (Ranges{{1, 1}}));
}

TEST_F(DispatcherDurable, AGateNeedsNoPermit) {
  const auto gate = rig.gate(rig.agent("gate"));
  offer(make_run(1, 1), sub, {gate});
  rig.finish(Outcome::retry("x"));
  EXPECT_TRUE(reports().empty());
  rig.pass(100ms);
  EXPECT_EQ(rig.take().subscription, gate);
}

TEST_F(DispatcherDurable, AttemptsOfAnEarlierLifeGoOn) {
  offer_again({.sequence = 9}, sub, {1, "the node ended", rig.now.wall + -10s, rig.now.wall + -5s});
  const Task task = rig.take();
  EXPECT_EQ(task.attempt, 2u);
  EXPECT_EQ(task.durable, stream);
  rig.answer(task, Outcome::retry("again"));
  const auto failure = reports().failures.at(0);
  EXPECT_EQ(failure.so_far.attempts, 2u);
  EXPECT_EQ(failure.so_far.first, rig.now.wall + -10s);
  permit(failure);
  rig.pass(1s);
  rig.finish(Outcome::retry("again"));
  EXPECT_EQ(reports().letters.at(0).death.attempts, 3u);
}

TEST_F(DispatcherDurable, AttemptsOfAnEarlierLifeGoThroughTheGatesFirst) {
  const auto gate = rig.gate(rig.agent("gate"));
  offer_again({.sequence = 9}, sub, {2, "x", {}, {}}, {gate});
  const Task asked = rig.take();
  EXPECT_EQ(asked.subscription, gate);
  EXPECT_EQ(asked.attempt, 1u);
  rig.answer(asked, Outcome::done());
  EXPECT_EQ(rig.take().attempt, 3u);
}

TEST_F(DispatcherDurable, ItsStreamsAreNumberedApart) {
  const auto plain = rig.subscribe(agent);
  rig.offer({.stream = stream, .sequence = 1}, {plain});
  rig.finish(Outcome::deferred());
  offer(make_run(1, 1), sub);
  EXPECT_EQ(rig.take().subscription, sub);
}

TEST_F(DispatcherDurable, KeepsOrderPerKeyWithConcurrency) {
  const auto wide = rig.subscribe(rig.agent(agent_spec("wide", 3)));
  const std::vector<EventSpec> specs{{.sequence = 1, .key = "x"}, {.sequence = 2, .key = "y"}, {.sequence = 3, .key = "x"}};
  offer(make_frame(specs), wide);
  const Task first = rig.take();
  EXPECT_EQ(rig.finish().sequence(), 2u);
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(ranges(reports(), wide), (Ranges{{2, 2}}));
  rig.answer(first, Outcome::done());
  EXPECT_EQ(rig.finish().sequence(), 3u);
  EXPECT_EQ(ranges(reports(), wide), (Ranges{{1, 1}, {3, 3}}));
}

TEST_F(DispatcherDurable, ADrainingNodeTakesNothingAndCountsNoLoss) {
  rig.dispatcher.begin_drain();
  offer(make_run(1, 3), sub);
  EXPECT_EQ(rig.books(sub), Books{});
  EXPECT_TRUE(reports().empty());
}

TEST_F(DispatcherDurable, WhatIsHeldAtTheEndIsNotLost) {
  offer(make_run(1, 3), sub);
  rig.finish();
  rig.take();
  rig.dispatcher.close(rig.now);
  EXPECT_EQ(rig.books(sub).published, 1u);
  EXPECT_EQ(rig.books(sub).delivered, 1u);
  EXPECT_EQ(rig.books(sub).lost_total(), 0u);
  rig.check();
}

TEST_F(DispatcherDurable, AnAgentThatIsDownHoldsBackNobodysLaterTier) {
  const auto later = rig.subscribe(rig.agent("later"), Priority::Low);
  rig.down(agent);
  offer(make_run(1, 1), sub, {later});
  EXPECT_EQ(rig.take().subscription, later);
}

TEST_F(DispatcherDurable, AnAgentThatGoesDownReleasesTheLaterTiers) {
  const auto later = rig.subscribe(rig.agent("later"), Priority::Low);
  rig.offer({.stream = 9}, {sub});
  rig.take();  // keeps the agent busy
  offer(make_run(1, 1), sub, {later});
  EXPECT_TRUE(rig.idle());
  rig.down(agent);
  EXPECT_EQ(rig.take().subscription, later);
}

}  // namespace legion::test
