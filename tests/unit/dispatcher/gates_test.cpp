#include "rig.hpp"

namespace legion::test {

class DispatcherGates : public DispatcherTest {
 protected:
  AgentId risk = rig.agent("risk");
  AgentId audit = rig.agent("audit");
  AgentId trader = rig.agent("trader");
  SubscriptionId risk_gate = rig.gate(risk);
  SubscriptionId audit_gate = rig.gate(audit);
  SubscriptionId orders = rig.subscribe(trader);

  /// A gate agent with one place in its mailbox.
  AgentId narrow(Overflow overflow, AgentState state = AgentState::Down) {
    AgentSpec spec = agent_spec("narrow", 1, {1, overflow});
    spec.state = state;
    return rig.agent(spec);
  }
};

TEST_F(DispatcherGates, OfferAnEventToEveryGateBeforeAnyLowerTier) {
  rig.offer({}, {orders, audit_gate, risk_gate});
  const Task first = rig.take();
  const Task second = rig.take();
  EXPECT_NE(first.subscription, orders);
  EXPECT_NE(second.subscription, orders);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherGates, OpenTheLowerTiersOnlyAfterDoneFromAll) {
  rig.offer({}, {risk_gate, audit_gate, orders});
  rig.finish();
  const Task second = rig.take();
  EXPECT_TRUE(rig.idle());
  rig.answer(second, Outcome::done());
  EXPECT_EQ(rig.finish().subscription, orders);
  EXPECT_EQ(rig.books(orders).delivered, 1u);
}

TEST_F(DispatcherGates, HoldTheEventWhileAGateDefers) {
  rig.offer({}, {risk_gate, orders});
  const Task task = rig.finish(Outcome::deferred());
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(orders).pending, 1u);
  rig.answer(task, Outcome::done());
  EXPECT_EQ(rig.finish().subscription, orders);
}

TEST_F(DispatcherGates, StopByOneDecidesForAllLowerTiers) {
  rig.offer({}, {risk_gate, audit_gate, orders});
  rig.finish(Outcome::stop());
  EXPECT_EQ(rig.books(orders).filtered.stopped, 1u);
  rig.finish();
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(risk_gate).delivered + rig.books(audit_gate).delivered, 2u);
}

TEST_F(DispatcherGates, RejectByOneIsItsOwnDeadLetterAndFilteredBelow) {
  const EventPtr event = rig.offer({}, {risk_gate, orders});
  rig.finish(Outcome::reject("over the limit"));
  EXPECT_EQ(rig.books(risk_gate).dead, 1u);
  EXPECT_EQ(rig.books(orders).filtered.stopped, 1u);
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].event, event);
  EXPECT_EQ(letters[0].subscription, risk_gate);
  EXPECT_EQ(letters[0].death.reason, DeathReason::Rejected);
  EXPECT_EQ(letters[0].death.error, "over the limit");
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherGates, WhatIsRefusedForItsDataBeforeAGateIsADeadLetterForAll) {
  rig.offer({}, {risk_gate, audit_gate, orders});
  rig.finish(Outcome::unknown_version("version 9"));
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(2)) << "the gate itself and the tier below; the other gate finds out by itself";
  for (const DeadLetter& letter : letters) {
    EXPECT_EQ(letter.death.reason, DeathReason::UnknownVersion);
    EXPECT_EQ(letter.death.error, "version 9");
    EXPECT_EQ(letter.death.attempts, 0u);
  }
  EXPECT_EQ(rig.books(orders).dead, 1u);
  rig.finish(Outcome::unknown_version("version 9"));
  EXPECT_THAT(rig.letters(), SizeIs(1));
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherGates, WhatIsRefusedForItsDataBelowTheGatesLeavesLaterTiersAlone) {
  const SubscriptionId later = rig.subscribe(audit, Priority::Low);
  rig.offer({}, {orders, later});
  rig.finish(Outcome::unfit("price"));
  EXPECT_EQ(rig.books(orders).dead, 1u);
  EXPECT_EQ(rig.finish().subscription, later);
  EXPECT_EQ(rig.books(later).delivered, 1u);
}

TEST_F(DispatcherGates, RejectAfterDeferringDecidesToo) {
  rig.offer({}, {risk_gate, orders});
  const Task task = rig.finish(Outcome::deferred());
  rig.answer(task, Outcome::reject("no"));
  EXPECT_EQ(rig.books(orders).filtered.stopped, 1u);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherGates, HoldWithoutUsingAttemptsWhileDown) {
  rig.down(risk);
  rig.offer({}, {risk_gate, orders});
  rig.pass(1h);
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(orders).pending, 1u);
  rig.up(risk);
  const Task task = rig.finish();
  EXPECT_EQ(task.subscription, risk_gate);
  EXPECT_EQ(task.attempt, 1u);
  EXPECT_EQ(rig.finish().subscription, orders);
}

TEST_F(DispatcherGates, LoseBeyondTheCapacityOfADownGateNeverDeliver) {
  const SubscriptionId gate = rig.gate(narrow(Overflow::DropNewest));
  rig.offer({.sequence = 1}, {gate, orders});
  rig.offer({.sequence = 2}, {gate, orders});
  EXPECT_EQ(rig.lost(gate, LossReason::Overflow), 1u);
  EXPECT_EQ(rig.lost(orders, LossReason::GateOverflow), 1u);
  EXPECT_EQ(rig.books(orders).pending, 1u);
  EXPECT_TRUE(rig.idle());
  rig.up({3});
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 1));
}

TEST_F(DispatcherGates, LoseTheEvictedEventBelowWhenTheGateDropsTheOldest) {
  const SubscriptionId gate = rig.gate(narrow(Overflow::DropOldest));
  rig.offer({.sequence = 1}, {gate, orders});
  rig.offer({.sequence = 2}, {gate, orders});
  EXPECT_EQ(rig.lost(gate, LossReason::Overflow), 1u);
  EXPECT_EQ(rig.lost(orders, LossReason::GateOverflow), 1u);
  rig.up({3});
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 2));
}

TEST_F(DispatcherGates, LoseWhenTheMailboxOfAnUpGateIsFull) {
  const SubscriptionId gate = rig.gate(narrow(Overflow::DropNewest, AgentState::Up));
  rig.offer({.sequence = 1}, {gate, orders});
  const Task running = rig.take();
  rig.offer({.sequence = 2}, {gate, orders});
  rig.offer({.sequence = 3}, {gate, orders});
  EXPECT_EQ(rig.lost(orders, LossReason::GateOverflow), 1u);
  rig.answer(running, Outcome::done());
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 1, 2));
}

TEST_F(DispatcherGates, AreRetriedThenDeadLetterTheEventForTheLowerTiers) {
  const EventPtr event = rig.offer({}, {risk_gate, orders});
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_EQ(rig.finish(Outcome::retry("no price")).attempt, attempt);
    EXPECT_TRUE(rig.idle());
    rig.pass(1s);
  }
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(risk_gate).dead, 1u);
  EXPECT_EQ(rig.books(orders).dead, 1u);
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(2));
  const DeadLetter& below = letters[0].subscription == orders ? letters[0] : letters[1];
  EXPECT_EQ(below.subscription, orders);
  EXPECT_EQ(below.event, event);
  EXPECT_EQ(below.death.reason, DeathReason::GateFailed);
  EXPECT_EQ(below.death.attempts, 0u);
  EXPECT_EQ(below.death.error, "gate risk: no price");
}

TEST_F(DispatcherGates, ThatTimeOutAreRetriedThenFail) {
  AgentSpec spec = agent_spec("slow");
  spec.handler_timeout = 50ms;
  const SubscriptionId gate = rig.gate(rig.agent(spec));
  rig.offer({}, {gate, orders});
  for (int attempt = 1; attempt <= 3; ++attempt) {
    rig.take();
    rig.pass(50ms);
    EXPECT_TRUE(rig.idle());
    rig.pass(1s);
  }
  EXPECT_EQ(rig.books(orders).dead, 1u);
  EXPECT_EQ(rig.letters().back().death.error, "gate slow: handler timed out");
}

TEST_F(DispatcherGates, OnlyThoseWithoutAnAnswerAreAskedAgain) {
  rig.offer({}, {risk_gate, audit_gate, orders});
  rig.finish(Outcome::retry("later"));
  const Task other = rig.finish();
  rig.pass(100ms);
  const Task again = rig.finish();
  EXPECT_NE(again.subscription, other.subscription);
  EXPECT_EQ(again.attempt, 2u);
  EXPECT_EQ(rig.finish().subscription, orders);
}

TEST_F(DispatcherGates, AFailedGateIsRepeatedAfterItsAgentWentDown) {
  rig.offer({}, {risk_gate, orders});
  rig.take();
  rig.down(risk);
  EXPECT_TRUE(rig.idle());
  rig.up(risk);
  EXPECT_EQ(rig.finish().attempt, 2u);
  EXPECT_EQ(rig.finish().subscription, orders);
}

TEST_F(DispatcherGates, LaterEventsOfTheStreamWaitBelowUntilTheEarlierIsDecided) {
  AgentSpec spec = agent_spec("parallel", 4);
  const SubscriptionId gate = rig.gate(rig.agent(spec));
  rig.offer({.sequence = 1}, {gate, orders});
  rig.offer({.sequence = 2}, {gate, orders});
  const Task first = rig.take();
  rig.answer(rig.take(), Outcome::done());
  EXPECT_TRUE(rig.idle());
  rig.answer(first, Outcome::done());
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
}

TEST_F(DispatcherGates, ANoFreesTheLaterEventsOfTheStreamBelow) {
  AgentSpec spec = agent_spec("parallel", 4);
  const SubscriptionId gate = rig.gate(rig.agent(spec));
  rig.offer({.sequence = 1}, {gate, orders});
  rig.offer({.sequence = 2}, {gate, orders});
  const Task first = rig.take();
  rig.answer(rig.take(), Outcome::done());
  rig.answer(first, Outcome::stop());
  EXPECT_THAT(rig.finish_all(), ElementsAre(2));
}

TEST_F(DispatcherGates, AnAgentMayBeGateAndHandlerOfOneEvent) {
  const SubscriptionId own_orders = rig.subscribe(risk, Priority::Low);
  rig.offer({.sequence = 1}, {risk_gate, own_orders});
  rig.offer({.sequence = 2}, {risk_gate, own_orders});
  std::vector<SubscriptionId> order;
  for (int i = 0; i < 4; ++i) order.push_back(rig.finish().subscription);
  EXPECT_THAT(order, ElementsAre(risk_gate, own_orders, risk_gate, own_orders));
}

TEST_F(DispatcherGates, AnUndecodableEventIsADeadLetterForEveryRouteAtOnce) {
  rig.offer({.bytes = broken}, {risk_gate, orders});
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(risk_gate).dead, 1u);
  EXPECT_EQ(rig.books(orders).dead, 1u);
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_EQ(letters[1].death.reason, DeathReason::Undecodable);
  EXPECT_EQ(letters[1].death.error, defect_text);
  EXPECT_EQ(letters[1].death.agent, "trader");
}

}  // namespace legion::test
