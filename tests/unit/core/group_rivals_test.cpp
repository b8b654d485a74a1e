// Members that name different homes: all decide alike which one holds.
#include <gtest/gtest.h>

#include <legion/core/group_rivals.hpp>

namespace legion {
namespace {

using Told = std::map<std::string, std::vector<GroupHome::View>>;

GroupHome::View view(const std::string& member, std::vector<std::uint64_t> epochs,
                     GroupHome::MemberView::State state = GroupHome::MemberView::State::Here) {
  GroupHome::View out{.group = "crew", .type = "work.", .members = {}, .shares = {}};
  out.members.push_back({.agent = member, .silent_for = {}, .held = epochs.size(), .state = state});
  for (const std::uint64_t epoch : epochs) {
    out.shares.push_back({.epoch = epoch, .holder = member, .state = GroupHome::ShareView::State::Held});
  }
  out.shares.push_back({.epoch = 1, .holder = {}, .state = GroupHome::ShareView::State::Free});
  return out;
}

TEST(GroupRivals, OneHomeHasNone) {
  EXPECT_EQ(rival_home("crew", "vault", {{"vault", {view("a/w", {5})}}, {"cellar", {}}}), std::nullopt);
  EXPECT_EQ(rival_home("crew", "vault", {{"vault", {}}, {"cellar", {}}}), std::nullopt);
  EXPECT_EQ(rival_home("other", "vault", {{"vault", {}}, {"cellar", {view("a/w", {5})}}}), std::nullopt);
}

TEST(GroupRivals, TheOlderLeaseHoldsAndWhoStandsBackLearnsTheDifference) {
  const Told told{{"vault", {view("a/w", {7, 5})}}, {"cellar", {view("c/w", {6})}}};
  EXPECT_EQ(rival_home("crew", "vault", told), std::nullopt);
  EXPECT_EQ(rival_home("crew", "cellar", told), "home = \"cellar\" is said here, a/w says \"vault\"");
}

TEST(GroupRivals, WhoComesWithoutALeaseStandsBack) {
  const Told told{{"vault", {view("a/w", {5})}}, {"cellar", {}}};
  EXPECT_NE(rival_home("crew", "cellar", told), std::nullopt);
}

TEST(GroupRivals, WhereNobodyHasAnythingTheFirstNameHolds) {
  const Told told{{"vault", {view("a/w", {})}}, {"cellar", {view("c/w", {})}}};
  EXPECT_NE(rival_home("crew", "vault", told), std::nullopt);
  EXPECT_EQ(rival_home("crew", "cellar", told), std::nullopt);
}

TEST(GroupRivals, AHomeWhoseMembersAreGoneCountsForNothing) {
  const Told told{{"vault", {view("a/w", {5}, GroupHome::MemberView::State::Gone)}}, {"cellar", {view("c/w", {6})}}};
  EXPECT_EQ(rival_home("crew", "cellar", told), std::nullopt);
}

TEST(GroupRivals, WithoutAnAnswerOfItsOwnHomeNothingIsDecided) {
  EXPECT_EQ(rival_home("crew", "cellar", {{"vault", {view("a/w", {5})}}}), std::nullopt);
}

}  // namespace
}  // namespace legion
