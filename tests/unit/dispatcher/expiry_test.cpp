#include "rig.hpp"

namespace legion::test {

class DispatcherExpiry : public DispatcherTest {
 protected:
  SubscriptionId all = rig.subscribe(rig.agent("a"));
};

TEST_F(DispatcherExpiry, AnExpiredEventIsCountedNotHandedOver) {
  rig.offer({.sequence = 1, .expires_at = rig.now.wall + 1s}, {all});
  rig.offer({.sequence = 2}, {all});
  rig.pass(1s + 1ns);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2));
  EXPECT_EQ(rig.books(all).expired, 1u);
}

TEST_F(DispatcherExpiry, AnEventIsGoodUntilItsExpiryTime) {
  rig.offer({.expires_at = rig.now.wall + 1s}, {all});
  rig.pass(1s);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1));
}

TEST_F(DispatcherExpiry, ARetriedEventMayExpire) {
  rig.offer({.expires_at = rig.now.wall + 50ms}, {all});
  rig.finish(Outcome::retry("x"));
  rig.pass(100ms);
  EXPECT_FALSE(rig.next().has_value());
  EXPECT_EQ(rig.books(all).expired, 1u);
}

TEST_F(DispatcherExpiry, AtAGateItIsExpiredForEveryTier) {
  const auto gate = rig.gate(rig.agent("gate"));
  rig.offer({.expires_at = rig.now.wall + 1s}, {gate, all});
  rig.pass(2s);
  EXPECT_FALSE(rig.next().has_value());
  EXPECT_EQ(rig.books(gate).expired, 1u);
  EXPECT_EQ(rig.books(all).expired, 1u);
}

}  // namespace legion::test
