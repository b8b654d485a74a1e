// When an agent counts as away, and when as back.
#include <gtest/gtest.h>

#include <legion/core/group_presence.hpp>

namespace legion {
namespace {

constexpr Duration grace = 3s;

class GroupPresenceTest : public ::testing::Test {
 protected:
  /// Looked at every 20 ms for so long; what it says at the end.
  bool is_present_after(Duration time, GroupPresence::Agent agent) {
    auto last = presence.on_look(now, agent);
    for (const SteadyTime end = now + time; now < end;) {
      now = now + 20ms;
      last = presence.on_look(now, agent);
    }
    return last == GroupMember::Presence::Present;
  }
  bool up(Duration time) { return is_present_after(time, GroupPresence::Agent::Up); }
  bool down(Duration time) { return is_present_after(time, GroupPresence::Agent::Down); }

  SteadyTime now = SteadyTime{} + 1h;
  GroupPresence presence{grace};
};

TEST_F(GroupPresenceTest, AwayUntilItIsUpForTheFirstTimeAndThenThereAtOnce) {
  EXPECT_FALSE(down(1min));
  EXPECT_TRUE(up(0s));
}

TEST_F(GroupPresenceTest, WhoIsUpAgainWithinTheGraceWasNeverAway) {
  EXPECT_TRUE(up(5s));
  EXPECT_TRUE(down(2900ms));
  EXPECT_TRUE(up(0s));
  EXPECT_TRUE(up(5s));
  EXPECT_TRUE(down(2900ms)) << "each time anew";
}

TEST_F(GroupPresenceTest, WhoIsDownForLongerIsAwayAndThereAgainAsSoonAsItIsUp) {
  EXPECT_TRUE(up(5s));
  EXPECT_FALSE(down(3100ms));
  EXPECT_TRUE(up(0s));
}

TEST_F(GroupPresenceTest, WhoFailsWheneverItIsStartedIsAwayAfterTheGraceAndDoesNotComeBackEachTime) {
  EXPECT_TRUE(up(5s));
  EXPECT_TRUE(down(100ms));
  bool present = true;
  for (int start = 0; start < 40; ++start) {
    const bool up_present = up(60ms);
    EXPECT_EQ(up_present, present);
    present = down(100ms);
  }
  EXPECT_FALSE(present);
  EXPECT_FALSE(up(900ms));
  EXPECT_TRUE(up(200ms)) << "it stays up now";
}

TEST_F(GroupPresenceTest, WhoFailsNowAndThenStays) {
  for (int start = 0; start < 20; ++start) {
    EXPECT_TRUE(up(1500ms));
    EXPECT_TRUE(down(1s));
  }
}

}  // namespace
}  // namespace legion
