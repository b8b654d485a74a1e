// Agents that go while others stay.
#include "rig.hpp"

namespace legion::test {

class DispatcherRemoval : public DispatcherTest {
 protected:
  void remove(AgentId gone) {
    rig.dispatcher.on_agent_removed(rig.now, gone, "the client has gone");
    rig.check();
  }

  AgentId agent = rig.agent(run_spec("a"));
  SubscriptionId sub = rig.subscribe(agent);
};

TEST_F(DispatcherRemoval, WhatIsQueuedIsLostAndNothingIsHeldAnyMore) {
  rig.offer_run(sub, 1, 10);
  rig.offer_run(sub, 1, 5, 2, Priority::Critical);
  remove(agent);
  EXPECT_EQ(rig.lost(sub, LossReason::Shutdown), 15u);
  EXPECT_EQ(rig.books(sub).pending, 0u);
  EXPECT_TRUE(rig.dispatcher.drained());
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherRemoval, WhatIsInFlightIsLostTooAndItsReportIsStale) {
  rig.offer_run(sub, 1, 10);
  const Task task = rig.take();
  remove(agent);
  rig.report_all(task);
  EXPECT_EQ(rig.lost(sub, LossReason::Shutdown), 10u);
  EXPECT_EQ(rig.books(sub).delivered, 0u);
  EXPECT_TRUE(rig.dispatcher.drained());
  EXPECT_GT(rig.dispatcher.stats().stale_outcomes, 0u);
}

TEST_F(DispatcherRemoval, WhatWaitsForItsRetryEndsWhenThatIsDue) {
  rig.offer_run(sub, 1, 3);
  const Task task = rig.take();
  rig.report(task, 0, OutcomeKind::Retry, "no");
  remove(agent);
  EXPECT_EQ(rig.books(sub).pending, 1u);
  rig.pass(1s);
  EXPECT_EQ(rig.lost(sub, LossReason::Shutdown), 3u);
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRemoval, WhatWaitsForAnEarlierTierEndsWhenItsTurnComes) {
  const AgentId first = rig.agent("first");
  const SubscriptionId high = rig.subscribe(first, Priority::High);
  rig.offer({.sequence = 1}, {high, sub});
  remove(agent);
  EXPECT_EQ(rig.books(sub).pending, 1u);
  rig.finish();
  EXPECT_EQ(rig.books(high).delivered, 1u);
  EXPECT_EQ(rig.lost(sub, LossReason::Shutdown), 1u);
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRemoval, LaterTiersGoOnWithoutIt) {
  const SubscriptionId high = rig.subscribe(agent, Priority::High);
  const AgentId last = rig.agent("last");
  const SubscriptionId low = rig.subscribe(last, Priority::Low);
  rig.offer({.sequence = 1}, {high, low});
  remove(agent);
  EXPECT_THAT(rig.finish_all(), testing::ElementsAre(1));
  EXPECT_EQ(rig.books(low).delivered, 1u);
}

TEST_F(DispatcherRemoval, OthersKeepWhatTheyHave) {
  const AgentId other = rig.agent("b");
  const SubscriptionId theirs = rig.subscribe(other);
  rig.offer({.sequence = 1}, {sub, theirs});
  rig.offer({.sequence = 2}, {sub, theirs});
  remove(agent);
  EXPECT_THAT(rig.finish_all(), testing::ElementsAre(1, 2));
  EXPECT_EQ(rig.books(theirs).delivered, 2u);
}

TEST_F(DispatcherRemoval, OneThatComesBackIsHandedWhatComesThen) {
  rig.offer_run(sub, 1, 4);
  remove(agent);
  rig.up(agent);
  rig.offer_run(sub, 5, 2);
  EXPECT_THAT(rig.finish_all(), testing::ElementsAre(5, 6));
  EXPECT_EQ(rig.books(sub).delivered, 2u);
}

TEST_F(DispatcherRemoval, AgentsMayBeAddedWhileOthersAreAtWork) {
  rig.offer_run(sub, 1, 4);
  const Task task = rig.take();
  const AgentId late = rig.agent(run_spec("late"));
  const SubscriptionId theirs = rig.subscribe(late);
  rig.offer_run(theirs, 1, 3);
  EXPECT_THAT(rig.finish_all(), testing::ElementsAre(1, 2, 3));
  rig.report_all(task);
  EXPECT_TRUE(rig.dispatcher.drained());
}

}  // namespace legion::test
