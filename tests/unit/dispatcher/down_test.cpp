#include "rig.hpp"

namespace legion::test {

class DispatcherDown : public DispatcherTest {
 protected:
  AgentId agent = rig.agent("a");
  SubscriptionId all = rig.subscribe(agent);
};

TEST_F(DispatcherDown, EventsStayQueuedUpToTheCapacity) {
  AgentSpec spec = agent_spec("b", 1, {2, Overflow::DropNewest});
  spec.state = AgentState::Down;
  const AgentId down = rig.agent(spec);
  const auto sub = rig.subscribe(down);
  for (std::uint64_t n = 1; n <= 3; ++n) rig.offer({.sequence = n}, {sub});
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(sub).pending, 2u);
  EXPECT_EQ(rig.lost(sub, LossReason::Overflow), 1u);
  rig.up(down);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
}

TEST_F(DispatcherDown, TheEventInFlightIsAFailedAttemptAndComesFirstAgain) {
  for (std::uint64_t n = 1; n <= 3; ++n) rig.offer({.stream = static_cast<StreamKey>(n), .sequence = n}, {all});
  const Task task = rig.take();
  rig.down(agent, "process exited with status 1");
  rig.answer(task, Outcome::done());
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 1u);
  EXPECT_TRUE(rig.idle());
  rig.up(agent);
  const Task again = rig.finish();
  EXPECT_EQ(again.sequence(), 1u);
  EXPECT_EQ(again.attempt, 2u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 3));
}

TEST_F(DispatcherDown, ARepeatedCrashEndsInADeadLetterWithTheCallersError) {
  rig.offer({.sequence = 1}, {all});
  rig.offer({.sequence = 2}, {all});
  for (int crash = 0; crash < 3; ++crash) {
    EXPECT_EQ(rig.take().sequence(), 1u);
    rig.down(agent, "killed by signal 11");
    rig.up(agent);
  }
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].death.attempts, 3u);
  EXPECT_EQ(letters[0].death.error, "killed by signal 11");
  EXPECT_THAT(rig.finish_all(), ElementsAre(2));
}

TEST_F(DispatcherDown, ARetryWaitsUntilTheAgentIsUp) {
  rig.offer({}, {all});
  rig.finish(Outcome::retry("x"));
  rig.down(agent);
  rig.pass(1s);
  EXPECT_TRUE(rig.idle());
  rig.up(agent);
  EXPECT_EQ(rig.finish().attempt, 2u);
}

TEST_F(DispatcherDown, ARetryThatIsNotDueStillWaitsAfterUp) {
  rig.offer({}, {all});
  rig.finish(Outcome::retry("x"));
  rig.down(agent);
  rig.up(agent);
  EXPECT_TRUE(rig.idle());
  rig.pass(100ms);
  EXPECT_EQ(rig.finish().attempt, 2u);
}

TEST_F(DispatcherDown, DeferredEventsAreHandedOverAgainInOrder) {
  for (std::uint64_t n = 1; n <= 4; ++n) rig.offer({.stream = static_cast<StreamKey>(n), .sequence = n}, {all});
  const Task first = rig.finish(Outcome::deferred());
  rig.finish(Outcome::deferred());
  rig.take();
  rig.down(agent);
  rig.answer(first, Outcome::done());
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 1u);
  rig.up(agent);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3, 4));
}

TEST_F(DispatcherDown, EverythingInFlightWithConcurrencyComesBackInOrder) {
  const AgentId wide = rig.agent(agent_spec("wide", 3));
  const auto sub = rig.subscribe(wide);
  for (std::uint64_t n = 1; n <= 5; ++n) rig.offer({.sequence = n}, {sub});
  for (int i = 0; i < 3; ++i) rig.take();
  rig.down(wide);
  rig.up(wide);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(DispatcherDown, OtherAgentsGoOn) {
  const auto other = rig.subscribe(rig.agent("b"));
  rig.down(agent);
  for (std::uint64_t n = 1; n <= 3; ++n) rig.offer({.sequence = n}, {all, other});
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3));
  EXPECT_EQ(rig.books(other).delivered, 3u);
}

TEST_F(DispatcherDown, TwiceDownOrUpIsAsOnce) {
  rig.offer({}, {all});
  rig.take();
  rig.down(agent);
  rig.down(agent);
  EXPECT_EQ(rig.dispatcher.agent_state(agent), AgentState::Down);
  rig.up(agent);
  rig.up(agent);
  EXPECT_EQ(rig.dispatcher.agent_state(agent), AgentState::Up);
  EXPECT_EQ(rig.finish().attempt, 2u);
}

}  // namespace legion::test
