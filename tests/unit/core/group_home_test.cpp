// Who gets which share of a group, and when one moves.
#include <set>

#include <gtest/gtest.h>

#include <legion/core/group_home.hpp>

namespace legion {
namespace {

constexpr Duration grace = 2600ms;

class GroupHomeTest : public ::testing::Test {
 protected:
  GroupRenewal renewal(const std::string& node, std::vector<ShareLease> holds = {}) {
    GroupRenewal made{.group = "features",
                      .agent = "worker",
                      .self = {node, 1},
                      .boot = {{7}},
                      .home = "vault",
                      .type = "features.",
                      .shares = 8,
                      .round = ++rounds[node],
                      .held = std::move(holds)};
    return made;
  }
  /// The member takes what it is given, and keeps what is revoked.
  GroupAnswer renew(const std::string& node) {
    auto answer = home->renew(now, renewal(node, held[node]));
    EXPECT_TRUE(answer.has_value()) << answer.error().message;
    held[node] = answer->owned;
    return *answer;
  }
  /// It releases what is revoked.
  void release(const std::string& node) {
    const GroupAnswer answer = renew(node);
    for (const std::uint32_t share : answer.revoke)
      std::erase_if(held[node], [&](auto& one) { return one.share == share; });
  }
  void pass(Duration time) {
    now.steady = now.steady + time;
    now.wall = now.wall + time;
  }
  void begin() {
    renew("first");
    held.clear();
    rounds.clear();
    pass(grace);
    gone.insert("first");
  }
  static std::vector<std::uint32_t> shares(const std::vector<ShareLease>& leases) {
    std::vector<std::uint32_t> numbers;
    for (const ShareLease& lease : leases) numbers.push_back(lease.share);
    return numbers;
  }

  Now now{.steady = SteadyTime{} + 1h, .wall = WallTime{1'763'000'000'000'000'000}};
  std::set<std::string> gone;
  std::map<std::string, std::uint64_t> rounds;
  std::map<std::string, std::vector<ShareLease>> held;
  GroupHome::Config config{"vault", grace, [this](const Origin& origin) { return gone.contains(origin.node); }};
  std::optional<GroupHome> home{config};
};

TEST_F(GroupHomeTest, WhoIsAwayGivesItsSharesToTheOthersAndGetsItsPartAgain) {
  begin();
  renew("a");
  for (int i = 0; i < 3; ++i) {
    release("a");
    renew("b");
  }
  ASSERT_EQ(held["a"].size(), 4u);
  ASSERT_EQ(held["b"].size(), 4u);
  const auto away = [&] {
    GroupRenewal made = renewal("a", held["a"]);
    made.wish = GroupRenewal::Wish::Away;
    return *home->renew(now, made);
  };
  EXPECT_EQ(away().revoke.size(), 4u);
  EXPECT_EQ(home->view(now)[0].members[0].state, GroupHome::MemberView::State::Away);
  EXPECT_EQ(renew("b").owned.size(), 4u) << "they are not free yet";
  held["a"].clear();
  EXPECT_TRUE(away().owned.empty());
  EXPECT_EQ(renew("b").owned.size(), 8u);
  EXPECT_TRUE(away().owned.empty()) << "it is still a member and wants nothing";
  for (int i = 0; i < 3; ++i) {
    renew("a");
    release("b");
  }
  EXPECT_EQ(renew("a").owned.size(), 4u);
  EXPECT_EQ(renew("b").owned.size(), 4u);
}

TEST_F(GroupHomeTest, WhereEverybodyIsAwayNobodyHasAnything) {
  begin();
  ASSERT_EQ(renew("a").owned.size(), 8u);
  GroupRenewal made = renewal("a", held["a"]);
  made.wish = GroupRenewal::Wish::Away;
  EXPECT_EQ(home->renew(now, made)->revoke.size(), 8u);
  held["a"].clear();
  made = renewal("a");
  made.wish = GroupRenewal::Wish::Away;
  EXPECT_TRUE(home->renew(now, made)->owned.empty());
  EXPECT_EQ(renew("a").owned.size(), 8u);
}

TEST_F(GroupHomeTest, GivesNothingBeforeHoldersCouldSayWhatTheyHave) {
  EXPECT_TRUE(renew("a").owned.empty());
  pass(grace - 1ms);
  EXPECT_TRUE(renew("a").owned.empty());
  pass(1ms);
  EXPECT_EQ(renew("a").owned.size(), 8u);
}

TEST_F(GroupHomeTest, ASecondMemberGetsHalfOnceItIsReleasedAndNotBefore) {
  begin();
  EXPECT_EQ(renew("a").owned.size(), 8u);
  EXPECT_TRUE(renew("b").owned.empty());
  EXPECT_EQ(renew("a").revoke, (std::vector<std::uint32_t>{1, 3, 5, 7}));
  pass(24h);  // a revoke is never taken back, and nothing moves, because of time
  EXPECT_TRUE(renew("b").owned.empty());
  EXPECT_EQ(renew("a").owned.size(), 8u);
  release("a");
  renew("a");
  EXPECT_EQ(shares(renew("b").owned), (std::vector<std::uint32_t>{1, 3, 5, 7}));
  EXPECT_EQ(home->view(now).front().moved, 4u);
}

TEST_F(GroupHomeTest, AThirdMemberCostsOneShareOfEachOfTheOthers) {
  begin();
  renew("a");
  renew("b");
  release("a");
  renew("a");
  renew("b");
  renew("c");
  EXPECT_EQ(renew("a").revoke.size(), 1u);
  EXPECT_EQ(renew("b").revoke.size(), 1u);
  release("a");
  release("b");
  renew("a");
  renew("b");
  EXPECT_EQ(renew("c").owned.size(), 2u);
  for (int i = 0; i < 5; ++i) {
    for (const char* node : {"a", "b", "c"}) EXPECT_TRUE(renew(node).revoke.empty());
  }
  EXPECT_EQ(home->view(now).front().moved, 6u);
}

TEST_F(GroupHomeTest, TheSharesOfWhoIsGoneGoToTheOthersAtOnceUnderHigherEpochs) {
  begin();
  renew("a");
  renew("b");
  release("a");
  renew("a");
  const auto before = renew("b").owned;
  ASSERT_EQ(before.size(), 4u);
  gone.insert("b");
  const auto after = renew("a").owned;
  ASSERT_EQ(after.size(), 8u);
  for (const ShareLease& old : before) EXPECT_GT(after[old.share].epoch, old.epoch);
  const auto late = home->renew(now, renewal("b", before));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::Refused);
}

TEST_F(GroupHomeTest, AHomeThatHasJustStartedSendsNobodyAwayWhomItHasNotHeardOfYet) {
  gone.insert("a");  // as its roster of the last run says
  std::vector<ShareLease> leases{{0, 5}, {3, 6}};
  const auto early = home->renew(now, renewal("a", leases));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::WouldBlock) << "a refusal would take its shares";
  gone.erase("a");
  const auto heard = home->renew(now, renewal("a", leases));
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->owned, leases);
}

TEST_F(GroupHomeTest, AllMembersHaveSomeOfTheFirstSharesInWhichTheShardsOfASmallTypeAre) {
  begin();
  const std::vector<std::string> nodes{"a", "b", "c", "d"};
  for (int round = 0; round < 6; ++round) {
    for (const std::string& node : nodes) release(node);
  }
  for (const std::string& node : nodes) {
    const auto has = shares(renew(node).owned);
    EXPECT_EQ(has.size(), 2u);
    EXPECT_EQ(std::ranges::count_if(has, [](std::uint32_t share) { return share < 4; }), 1) << node;
  }
}

TEST_F(GroupHomeTest, WhoComesBackFromAPauseIsToldThatItsSharesAreSomebodyElses) {
  begin();
  renew("a");
  const auto old = held["a"];
  gone.insert("a");
  renew("b");
  gone.erase("a");
  EXPECT_TRUE(renew("a").owned.empty());
  held["a"].clear();
  EXPECT_EQ(renew("b").revoke.size(), 4u);
}

TEST_F(GroupHomeTest, WhoComesBackBeforeAnybodyElseCameKeepsWhatItHas) {
  begin();
  renew("a");
  gone.insert("a");
  EXPECT_EQ(home->view(now).front().members.front().state, GroupHome::MemberView::State::Gone);
  gone.erase("a");
  const auto before = held["a"];
  EXPECT_EQ(renew("a").owned, before);
}

TEST_F(GroupHomeTest, ALaterLifeOfTheSameMemberBeginsWithNothingAndGetsItsSharesAnew) {
  begin();
  const auto before = renew("a").owned;
  GroupRenewal later = renewal("a");
  later.self.incarnation = 2;
  later.round = 1;
  const auto after = home->renew(now, later);
  ASSERT_TRUE(after);
  ASSERT_EQ(after->owned.size(), 8u);
  for (std::uint32_t i = 0; i < 8; ++i) EXPECT_GT(after->owned[i].epoch, before[i].epoch);
  const auto earlier = home->renew(now, renewal("a", before));
  ASSERT_FALSE(earlier);
  EXPECT_NE(earlier.error().message.find("later life"), std::string::npos);
}

TEST_F(GroupHomeTest, AfterARestartHoldersKeepWhatTheySayAndTheHighestEpochWins) {
  begin();
  renew("a");
  const auto leases = held["a"];
  home.emplace(config);
  held["b"] = {{3, leases[3].epoch + 5}};  // given by the life before
  EXPECT_EQ(renew("a").owned.size(), 8u);
  EXPECT_EQ(shares(renew("b").owned), (std::vector<std::uint32_t>{3}));
  EXPECT_EQ(shares(renew("a").owned), (std::vector<std::uint32_t>{0, 1, 2, 4, 5, 6, 7}));
  pass(grace);
  EXPECT_EQ(renew("a").revoke.size(), 3u);
}

TEST_F(GroupHomeTest, AClockThatWentBackDoesNotTakeEpochsBack) {
  begin();
  renew("a");
  const auto before = held["a"];
  gone.insert("a");
  now.wall = WallTime{1'000'000'000};
  const auto after = renew("b").owned;
  ASSERT_EQ(after.size(), 8u);
  EXPECT_GT(after[0].epoch, before[0].epoch);
}

TEST_F(GroupHomeTest, AnEpochFoundInACursorIsExceeded) {
  begin();
  const auto before = renew("a").owned;
  GroupRenewal more = renewal("a", {before.begin() + 1, before.end()});
  more.seen = {{0, before[0].epoch + 1'000'000'000}};
  const auto after = home->renew(now, more);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->owned[0].epoch, before[0].epoch + 1'000'000'001);
  EXPECT_EQ(after->owned[1], before[1]);
}

TEST_F(GroupHomeTest, WhoLeavesGivesEverythingBackAndIsForgotten) {
  begin();
  renew("a");
  renew("b");
  GroupRenewal leaving = renewal("a", held["a"]);
  leaving.wish = GroupRenewal::Wish::Leave;
  EXPECT_EQ(home->renew(now, leaving)->revoke.size(), 8u);
  leaving = renewal("a");
  leaving.wish = GroupRenewal::Wish::Leave;
  EXPECT_TRUE(home->renew(now, leaving)->owned.empty());
  EXPECT_EQ(renew("b").owned.size(), 8u);
  EXPECT_EQ(home->view(now).front().members.size(), 1u);
}

TEST_F(GroupHomeTest, RefusesWhoSaysOtherwiseAndNamesTheDifference) {
  begin();
  renew("a");
  GroupRenewal other = renewal("b");
  other.shares = 4;
  EXPECT_EQ(home->renew(now, other).error().message,
            "group features: b/worker says shares = 4, its other members say 8");
  other = renewal("b");
  other.type = "feature.";
  EXPECT_EQ(home->renew(now, other).error().message,
            "group features: b/worker says type = \"feature.\", its other members say \"features.\"");
  other = renewal("b");
  other.home = "cellar";
  EXPECT_EQ(home->renew(now, other).error().message, "group features: this is vault, not its home cellar");
  gone.insert("a");  // alone it may say what it wants
  other = renewal("b");
  other.shares = 4;
  EXPECT_EQ(home->renew(now, other)->owned.size(), 4u);
}

TEST_F(GroupHomeTest, RefusesNonsense) {
  const auto code = [&](auto change) {
    GroupRenewal broken = renewal("a");
    change(broken);
    const auto answer = home->renew(now, broken);
    return answer ? ErrorCode::Internal : answer.error().code;
  };
  EXPECT_EQ(code([](auto& r) { r.group = "a/b"; }), ErrorCode::InvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.shares = 0; }), ErrorCode::InvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.shares = 257; }), ErrorCode::InvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.held = {{8, 1}}; }), ErrorCode::InvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.seen = {{0, 0}}; }), ErrorCode::InvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.self.node = "A B"; }), ErrorCode::InvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.type = "!"; }), ErrorCode::InvalidArgument);
}

TEST_F(GroupHomeTest, ARenewalThatWasOvertakenChangesNothing) {
  begin();
  renew("a");
  GroupRenewal old = renewal("a");
  renew("a");
  EXPECT_FALSE(home->renew(now, old));
  EXPECT_EQ(renew("a").owned.size(), 8u);
}

}  // namespace
}  // namespace legion
