// What a member makes of what its home says.
#include <gtest/gtest.h>

#include <legion/core/group_member.hpp>
#include <legion/event/share.hpp>

namespace legion {
namespace {

class GroupMemberTest : public ::testing::Test {
 protected:
  std::vector<GroupMemberEffect> tick(Duration after = 300ms) {
    now.steady = now.steady + after;
    member.on_tick(now);
    return member.take_effects();
  }
  GroupRenewal renewal() {
    for (const GroupMemberEffect& effect : tick()) {
      if (const auto* send = std::get_if<SendRenewal>(&effect)) return send->renewal;
    }
    ADD_FAILURE() << "no renewal";
    return {};
  }
  std::string answer(const GroupRenewal& to, const Result<GroupAnswer>& what) {
    member.on_answer(to.round, what);
    std::string text;
    for (const GroupMemberEffect& effect : member.take_effects()) {
      if (const auto* given = std::get_if<LeaseGiven>(&effect)) {
        text += " +" + std::to_string(given->lease.share) + "@" + std::to_string(given->lease.epoch);
      } else if (const auto* revoked = std::get_if<LeaseRevoked>(&effect)) {
        text += " ~" + std::to_string(revoked->share);
      } else if (const auto* lost = std::get_if<LeaseLost>(&effect)) {
        text += " -" + std::to_string(lost->share);
      }
    }
    return text;
  }
  static Result<GroupAnswer> owned(std::vector<ShareLease> leases, std::vector<std::uint32_t> revoke = {}) {
    return GroupAnswer{std::move(leases), std::move(revoke)};
  }

  Now now{.steady = SteadyTime{} + 1h, .wall = {}};
  GroupMember member{{.group = "features",
                      .agent = "worker",
                      .self = {"a", 1},
                      .boot = {},
                      .home = "vault",
                      .type = "features.",
                      .shares = 8}};
};

TEST_F(GroupMemberTest, RenewsAgainAndAgainOneAtATime) {
  const GroupRenewal first = renewal();
  EXPECT_EQ(first.round, 1u);
  EXPECT_TRUE(tick().empty());
  answer(first, owned({}));
  EXPECT_EQ(renewal().round, 2u);
}

TEST_F(GroupMemberTest, WhoStandsBackDropsEverythingAndItsHomeForgetsItUntilItGoesOn) {
  EXPECT_EQ(answer(renewal(), owned({{1, 10}, {3, 10}})), " +1@10 +3@10");
  const GroupRenewal under_way = renewal();
  member.stand_back(now, "another home");
  const auto effects = member.take_effects();
  ASSERT_EQ(effects.size(), 3u);
  EXPECT_EQ(std::get<LeaseLost>(effects[0]).share, 1u);
  EXPECT_EQ(std::get<LeaseLost>(effects[1]).share, 3u);
  const GroupRenewal& last = std::get<SendRenewal>(effects[2]).renewal;
  EXPECT_EQ(last.wish, GroupRenewal::Wish::Leave);
  EXPECT_TRUE(last.held.empty());
  EXPECT_EQ(answer(under_way, owned({{1, 10}, {3, 10}, {5, 11}})), "") << "an answer that comes later gives nothing";
  EXPECT_EQ(answer(last, owned({{5, 11}})), "");
  EXPECT_TRUE(member.holds_nothing());
  EXPECT_EQ(member.trouble(), "another home");
  EXPECT_TRUE(tick().empty());
  member.go_on();
  const GroupRenewal next = renewal();
  EXPECT_EQ(next.wish, GroupRenewal::Wish::Share);
  EXPECT_EQ(answer(next, owned({{5, 12}})), " +5@12");
}

TEST_F(GroupMemberTest, TakesWhatIsNewAndDropsWhatIsNotItsOwn) {
  EXPECT_EQ(answer(renewal(), owned({{1, 10}, {2, 11}})), " +1@10 +2@11");
  EXPECT_EQ(answer(renewal(), owned({{1, 10}, {2, 11}})), "");
  EXPECT_EQ(answer(renewal(), owned({{2, 11}})), " -1");
  EXPECT_EQ(answer(renewal(), owned({{2, 14}})), " -2 +2@14");
  EXPECT_EQ(member.held(), (std::vector<ShareLease>{{2, 14}}));
}

TEST_F(GroupMemberTest, WhileTheHomeIsDownItKeepsWhatItHas) {
  answer(renewal(), owned({{1, 10}}));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(answer(renewal(), fail(ErrorCode::Unreachable, "down")), "");
  EXPECT_EQ(renewal().held, (std::vector<ShareLease>{{1, 10}}));
  EXPECT_EQ(member.trouble(), "down");
}

TEST_F(GroupMemberTest, ARefusalTakesEverything) {
  answer(renewal(), owned({{1, 10}, {3, 10}}));
  EXPECT_EQ(answer(renewal(), fail(ErrorCode::Refused, "says shares = 4")), " -1 -3");
  EXPECT_TRUE(member.holds_nothing());
}

TEST_F(GroupMemberTest, TellsOfWhatIsRevokedOnceAndHoldsItUntilItIsReleased) {
  answer(renewal(), owned({{1, 10}, {3, 10}}));
  EXPECT_EQ(answer(renewal(), owned({{1, 10}, {3, 10}}, {3})), " ~3");
  EXPECT_EQ(answer(renewal(), owned({{1, 10}, {3, 10}}, {3})), "");
  EXPECT_EQ(member.held().size(), 2u);
  member.on_released(now, {3, 10}, 0);
  const auto soon = tick(1ms);  // at once, so that it goes on elsewhere
  ASSERT_EQ(soon.size(), 1u);
  EXPECT_EQ(std::get<SendRenewal>(soon[0]).renewal.held, (std::vector<ShareLease>{{1, 10}}));
}

TEST_F(GroupMemberTest, WhatItReleasesWhileAnAnswerIsOnItsWayIsNotTakenAgain) {
  answer(renewal(), owned({{1, 10}}));
  const GroupRenewal told = renewal();
  member.on_released(now, {1, 10}, 0);
  EXPECT_EQ(answer(told, owned({{1, 10}}, {1})), "");
  EXPECT_TRUE(renewal().held.empty());
}

TEST_F(GroupMemberTest, AnAnswerToAnEarlierRenewalIsNotHeard) {
  const GroupRenewal first = renewal();
  answer(first, fail(ErrorCode::TimedOut, "no answer"));
  renewal();
  EXPECT_EQ(answer(first, owned({{1, 10}})), "");
}

TEST_F(GroupMemberTest, AnEpochThatACursorExceedsIsToldAndNotTakenAgain) {
  answer(renewal(), owned({{1, 10}}));
  member.on_released(now, {1, 10}, 50);
  const GroupRenewal told = renewal();
  EXPECT_EQ(told.seen, (std::vector<ShareLease>{{1, 50}}));
  EXPECT_EQ(answer(told, owned({{1, 49}})), "");
  EXPECT_EQ(answer(renewal(), owned({{1, 51}})), " +1@51");
  EXPECT_TRUE(renewal().seen.empty());
}

TEST_F(GroupMemberTest, WhoIsAwaySaysSoAtOnceAndGivesBackWhatIsRevokedUntilItIsPresent) {
  using Presence = GroupMember::Presence;
  using Wish = GroupRenewal::Wish;
  answer(renewal(), owned({{1, 10}, {3, 10}}));
  member.on_presence(now, Presence::Away);
  const auto soon = tick(1ms);
  ASSERT_EQ(soon.size(), 1u);
  const GroupRenewal away = std::get<SendRenewal>(soon[0]).renewal;
  EXPECT_EQ(away.wish, Wish::Away);
  EXPECT_EQ(away.held.size(), 2u) << "it holds them until they are released";
  EXPECT_EQ(answer(away, owned({{1, 10}, {3, 10}}, {1, 3})), " ~1 ~3");
  member.on_presence(now, Presence::Present);  // before they are released: what was revoked goes all the same
  EXPECT_EQ(renewal().wish, Wish::Share);
  member.on_released(now, {1, 10}, 0);
  member.on_released(now, {3, 10}, 0);
  EXPECT_TRUE(member.holds_nothing());
}

TEST_F(GroupMemberTest, WhoIsAwayWhileTheHomeIsDownKeepsItsSharesUntilItIsHeard) {
  answer(renewal(), owned({{1, 10}}));
  member.on_presence(now, GroupMember::Presence::Away);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(renewal(), fail(ErrorCode::Unreachable, "down")), "");
  EXPECT_EQ(member.held().size(), 1u);
  EXPECT_EQ(answer(renewal(), owned({{1, 10}}, {1})), " ~1");
}

TEST_F(GroupMemberTest, WhoLeavesIsNotAskedWhetherItIsThere) {
  member.leave(now);
  member.on_presence(now, GroupMember::Presence::Away);
  const GroupRenewal first = renewal();
  EXPECT_EQ(first.wish, GroupRenewal::Wish::Leave);
  member.on_presence(now, GroupMember::Presence::Present);
  answer(first, owned({}));
  EXPECT_EQ(renewal().wish, GroupRenewal::Wish::Leave);
}

TEST_F(GroupMemberTest, LeavingIsTold) {
  answer(renewal(), owned({{1, 10}}));
  member.leave(now);
  EXPECT_EQ(renewal().wish, GroupRenewal::Wish::Leave);
}

TEST(ShareNames, AreMadeAndRecognised) {
  EXPECT_EQ(share_name("features", 3), "features/3");
  EXPECT_EQ(group_of("features/255"), "features");
  for (const char* none : {"features", "features/", "features/256", "features/03", "features/-1", "/3", "F/3", "a/3/4"})
    EXPECT_FALSE(group_of(none)) << none;
  EXPECT_FALSE(is_group_name(std::string(61, 'a')));
  EXPECT_TRUE(is_cursor_name("features/0"));
  EXPECT_TRUE(is_cursor_name("features"));
}

TEST(CursorFilters, SayWhichShardsTheyMean) {
  const auto share = CursorFilter::parse("features.#3/8");
  ASSERT_TRUE(share);
  EXPECT_EQ(share->text(), "features.#3/8");
  EXPECT_TRUE(share->matches("features.computed", 11));
  EXPECT_FALSE(share->matches("features.computed", 4));
  EXPECT_FALSE(share->matches("other", 3));
  EXPECT_TRUE(CursorFilter::parse("features.")->matches("features.computed", 200));
  for (const char* none : {"features.#", "features.#8/8", "features.#0/0", "features.#0/257", "features.#1", "#1/2",
                           "features.#01/2", "features.#0/8x"})
    EXPECT_FALSE(CursorFilter::parse(none)) << none;
}

}  // namespace
}  // namespace legion
