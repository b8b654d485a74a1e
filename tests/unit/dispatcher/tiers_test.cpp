#include "rig.hpp"

namespace legion::test {

class DispatcherTiers : public DispatcherTest {
 protected:
  AgentId first = rig.agent("first");
  AgentId second = rig.agent("second");
  AgentId third = rig.agent("third");
  SubscriptionId high = rig.subscribe(first, Priority::High);
  SubscriptionId normal = rig.subscribe(second, Priority::Normal);
  SubscriptionId low = rig.subscribe(third, Priority::Low);
};

TEST_F(DispatcherTiers, RunInOrder) {
  rig.offer({}, {low, normal, high});
  EXPECT_EQ(rig.take().subscription, high);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherTiers, TheNextStartsAfterDone) {
  rig.offer({}, {low, normal, high});
  EXPECT_EQ(rig.finish().subscription, high);
  EXPECT_EQ(rig.finish().subscription, normal);
  EXPECT_EQ(rig.finish().subscription, low);
}

TEST_F(DispatcherTiers, TheNextStartsAfterAFailureRejectionOrDeferral) {
  for (const Outcome& outcome : {Outcome::retry("x"), Outcome::reject("x"), Outcome::deferred()}) {
    Rig fresh;
    const auto early = fresh.subscribe(fresh.agent("early"), Priority::High);
    const auto late = fresh.subscribe(fresh.agent("late"), Priority::Low);
    fresh.offer({}, {early, late});
    fresh.finish(outcome);
    EXPECT_EQ(fresh.finish().subscription, late) << to_string(outcome.kind);
  }
}

TEST_F(DispatcherTiers, TheNextWaitsForTheFirstOutcomeOfEveryHandler) {
  const SubscriptionId also_high = rig.subscribe(second, Priority::High);
  rig.offer({}, {high, also_high, low});
  const Task one = rig.take();
  const Task two = rig.take();
  rig.answer(one, Outcome::done());
  EXPECT_TRUE(rig.idle());
  rig.answer(two, Outcome::retry("x"));
  EXPECT_EQ(rig.finish().subscription, low);
}

TEST_F(DispatcherTiers, StopIsForTheLaterTiersOnly) {
  const SubscriptionId also_high = rig.subscribe(second, Priority::High);
  rig.offer({}, {high, also_high, low});
  rig.finish(Outcome::stop());
  EXPECT_EQ(rig.finish().subscription, also_high);
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(low).filtered.stopped, 1u);
  EXPECT_EQ(rig.books(also_high).delivered, 1u);
}

TEST_F(DispatcherTiers, StopAfterARetryStillCountsForTiersNotYetBegun) {
  rig.offer({}, {high, normal, low});
  rig.finish(Outcome::retry("x"));
  const Task running = rig.take();
  rig.pass(100ms);
  EXPECT_EQ(rig.finish(Outcome::stop()).subscription, high);
  rig.answer(running, Outcome::done());
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(low).filtered.stopped, 1u);
  EXPECT_EQ(rig.books(normal).delivered, 1u);
}

TEST_F(DispatcherTiers, AnOverflowDropIsAFirstOutcome) {
  const AgentId agent = rig.agent(agent_spec("narrow", 1, {0, Overflow::DropNewest}));
  const SubscriptionId narrow = rig.subscribe(agent, Priority::High);
  rig.offer({}, {narrow, low});
  EXPECT_EQ(rig.lost(narrow, LossReason::Overflow), 1u);
  EXPECT_EQ(rig.finish().subscription, low);
}

TEST_F(DispatcherTiers, AnEvictionIsAFirstOutcome) {
  const AgentId agent = rig.agent(agent_spec("narrow", 1, {1, Overflow::DropOldest}));
  const SubscriptionId narrow = rig.subscribe(agent, Priority::High);
  rig.offer({.stream = 7, .sequence = 1}, {narrow});
  rig.take();
  rig.offer({.sequence = 2}, {narrow, low});
  EXPECT_TRUE(rig.idle());
  rig.offer({.sequence = 3}, {narrow, low});
  EXPECT_EQ(rig.finish().sequence(), 2u);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherTiers, DoNotWaitForAnAgentThatIsDown) {
  rig.down(first);
  rig.offer({}, {high, low});
  EXPECT_EQ(rig.finish().subscription, low);
  EXPECT_EQ(rig.books(high).pending, 1u);
  rig.up(first);
  EXPECT_EQ(rig.finish().subscription, high);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherTiers, DoNotWaitForAnAgentThatGoesDownWithTheEventQueued) {
  rig.offer({.sequence = 1}, {high, low});
  rig.offer({.sequence = 2}, {high, low});
  rig.take();
  rig.down(first);
  EXPECT_EQ(rig.finish().subscription, low);
  EXPECT_EQ(rig.finish().subscription, low);
}

TEST_F(DispatcherTiers, DoNotWaitBehindAnEventThatIsRetried) {
  rig.offer({.sequence = 1}, {high, low});
  rig.offer({.sequence = 2}, {high, low});
  rig.finish(Outcome::retry("x"));
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
  rig.offer({.sequence = 3}, {high, low});
  EXPECT_THAT(rig.finish_all(), ElementsAre(3));
  EXPECT_EQ(rig.books(low).delivered, 3u);
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3));
  EXPECT_EQ(rig.books(high).delivered, 3u);
}

TEST_F(DispatcherTiers, DoNotWaitBehindAnEventThatIsDeferred) {
  rig.offer({.sequence = 1}, {high, low});
  rig.offer({.sequence = 2}, {high, low});
  const Task deferred = rig.finish(Outcome::deferred());
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
  rig.answer(deferred, Outcome::done());
  EXPECT_THAT(rig.finish_all(), ElementsAre(2));
}

TEST_F(DispatcherTiers, DropInALaterTierWhenItsMailboxIsFullThen) {
  const AgentId agent = rig.agent(agent_spec("narrow", 1, {1, Overflow::DropNewest}));
  const SubscriptionId narrow = rig.subscribe(agent, Priority::Low);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    rig.offer({.stream = static_cast<StreamKey>(n), .sequence = n}, {high, narrow});
  }
  EXPECT_EQ(rig.books(narrow).pending, 3u);
  for (int i = 0; i < 3; ++i) rig.dispatcher.on_outcome(rig.now, rig.dispatcher.next(rig.now)->id, Outcome::done());
  EXPECT_GE(rig.lost(narrow, LossReason::Overflow), 1u);
  rig.check();
}

}  // namespace legion::test
