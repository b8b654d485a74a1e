#include "rig.hpp"

namespace legion::test {

class DispatcherMailbox : public DispatcherTest {
 protected:
  SubscriptionId narrow(Overflow overflow, std::size_t capacity = 2) {
    return rig.subscribe(rig.agent(agent_spec("narrow", 1, {capacity, overflow})));
  }
  void offer_upto(SubscriptionId id, std::uint64_t count) {
    for (std::uint64_t n = 1; n <= count; ++n) rig.offer({.sequence = n}, {id});
  }
};

TEST_F(DispatcherMailbox, DropNewestKeepsWhatIsThere) {
  const auto id = narrow(Overflow::DropNewest);
  offer_upto(id, 4);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 2u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
}

TEST_F(DispatcherMailbox, DropOldestKeepsTheLatest) {
  const auto id = narrow(Overflow::DropOldest);
  offer_upto(id, 4);
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 2u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(3, 4));
}

TEST_F(DispatcherMailbox, DropOldestSparesWhatWasHandedOver) {
  const auto id = narrow(Overflow::DropOldest, 1);
  rig.offer({.sequence = 1}, {id});
  rig.finish(Outcome::retry("x"));
  rig.offer({.sequence = 2}, {id});
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 1u);
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1));
}

TEST_F(DispatcherMailbox, DropOldestTakesParkedEventsToo) {
  const auto id = narrow(Overflow::DropOldest, 3);
  offer_upto(id, 3);
  rig.finish(Outcome::deferred());
  EXPECT_TRUE(rig.idle());
  rig.offer({.sequence = 4}, {id});
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 1u);
  EXPECT_EQ(rig.books(id).pending, 3u);
}

TEST_F(DispatcherMailbox, DeferredEventsTakeUpRoom) {
  const auto id = narrow(Overflow::DropNewest, 2);
  for (std::uint64_t n = 1; n <= 2; ++n) {
    rig.offer({.stream = static_cast<StreamKey>(n), .sequence = n}, {id});
    rig.finish(Outcome::deferred());
  }
  rig.offer({.stream = 3, .sequence = 3}, {id});
  EXPECT_EQ(rig.lost(id, LossReason::Overflow), 1u);
}

TEST_F(DispatcherMailbox, EveryLaneHasItsOwnRoom) {
  const auto id = narrow(Overflow::DropNewest, 1);
  for (const Priority lane : all_priorities) {
    rig.offer({.stream = static_cast<StreamKey>(lane_index(lane)), .lane = lane}, {id});
  }
  EXPECT_EQ(rig.books(id).pending, 4u);
}

TEST_F(DispatcherMailbox, AFullAgentCostsOthersNothing) {
  const auto full = narrow(Overflow::DropNewest, 1);
  const auto other = rig.subscribe(rig.agent("other"));
  for (std::uint64_t n = 1; n <= 3; ++n) rig.offer({.sequence = n}, {full, other});
  EXPECT_EQ(rig.books(other).pending, 3u);
}

TEST_F(DispatcherMailbox, AnEventOutsideTheBooksIsDeliveredAndNotCounted) {
  const auto id = narrow(Overflow::DropNewest, 1);
  rig.offer({.sequence = 1}, {id}, Booked::No);
  rig.offer({.sequence = 2}, {id}, Booked::No);
  EXPECT_FALSE(rig.dispatcher.drained());
  EXPECT_THAT(rig.finish_all(), ElementsAre(1));
  EXPECT_EQ(rig.books(id), Books{});
}

}  // namespace legion::test
