#include "rig.hpp"

namespace legion::test {

class DispatcherDrain : public DispatcherTest {
 protected:
  SubscriptionId gate = rig.gate(rig.agent("gate"));
  SubscriptionId all = rig.subscribe(rig.agent("a"));
};

TEST_F(DispatcherDrain, FinishesWhatIsHeldAndTakesNothingNew) {
  rig.offer({.sequence = 1}, {all});
  rig.dispatcher.begin_drain();
  rig.offer({.sequence = 2}, {all});
  EXPECT_FALSE(rig.dispatcher.drained());
  EXPECT_THAT(rig.finish_all(), ElementsAre(1));
  EXPECT_TRUE(rig.dispatcher.drained());
  EXPECT_EQ(rig.lost(all, LossReason::Shutdown), 1u);
}

TEST_F(DispatcherDrain, CloseCountsEverythingHeldAsLost) {
  rig.offer({.stream = 1, .sequence = 1}, {gate, all});
  rig.offer({.stream = 2, .sequence = 2}, {all});
  rig.offer({.stream = 3, .sequence = 3}, {all});
  rig.offer({.stream = 4, .sequence = 4}, {all});
  rig.offer({.stream = 5, .sequence = 5}, {all});
  rig.take();
  rig.finish(Outcome::deferred());
  rig.finish(Outcome::retry("x"));
  const Task running = rig.take();
  rig.dispatcher.close(rig.now);
  rig.check();
  EXPECT_TRUE(rig.dispatcher.drained());
  EXPECT_EQ(rig.lost(all, LossReason::Shutdown), 5u);
  EXPECT_EQ(rig.lost(gate, LossReason::Shutdown), 1u);
  EXPECT_EQ(rig.books(all).pending, 0u);
  rig.answer(running, Outcome::done());
  rig.pass(1h);
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 1u);
  EXPECT_EQ(rig.dispatcher.next_deadline(), std::nullopt);
}

}  // namespace legion::test
