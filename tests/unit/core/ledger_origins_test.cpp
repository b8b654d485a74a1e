#include "streams_kit.hpp"

namespace legion {
namespace {

using namespace streams_kit;
using LedgerOrigins = LedgerTest;

TEST_F(LedgerOrigins, ANewIncarnationStartsItsSequencesAgain) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_origin_incarnation(now, {"far", 11});
  sync({}, 11);
  EXPECT_EQ(data("t.a", 1, 2, 11).skip, 0u);
  EXPECT_EQ(published(s), 7u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerOrigins, StreamNumbersDoNotGrowWithTheNumberOfLives) {
  ledger.add_subscription(filter("t."));
  StreamNumber highest = 0;
  for (Incarnation life = 10; life < 110; ++life) {
    ledger.on_origin_incarnation(now, {"far", life});
    for (const char* type : {"t.a", "t.b", "t.c"}) highest = std::max(highest, data(type, 1, 1, life).stream);
  }
  EXPECT_LE(highest, 9u);  // two lives are kept, and the next one is made before the older is dropped
}

TEST_F(LedgerOrigins, FramesOfALowerIncarnationAreDuplicates) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_origin_incarnation(now, {"far", 11});
  const FrameVerdict known_stream = data("t.a", 6, 2);
  EXPECT_EQ(known_stream.skip, 2u);
  EXPECT_TRUE(known_stream.routes->empty());
  EXPECT_EQ(data("t.other", 1, 3).skip, 3u);
  EXPECT_EQ(data("t.a", 1, 4, 9).skip, 4u);
  EXPECT_EQ(published(s), 5u);
}

TEST_F(LedgerOrigins, AFrameCanBeTheFirstSignOfANewIncarnation) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, 100}});
  const FrameVerdict verdict = data("t.a", 3, 2, 11);
  EXPECT_EQ(verdict.skip, 0u);
  EXPECT_EQ(verdict.gap, 0u);
  EXPECT_EQ(verdict.routes->front().booked_from, unbooked);
  EXPECT_EQ(published(s), 0u);
  EXPECT_EQ(data("t.a", 100, 1, 10).skip, 1u);

  sync({{"t.a", 0, 8}}, 11);
  data("t.a", 9, 1, 11);
  EXPECT_EQ(published(s), 2u);
  EXPECT_EQ(lost_link(s), 1u);
}

TEST_F(LedgerOrigins, AnUnwantedFrameOfAKnownOriginTellsOfItsNewIncarnationToo) {
  ledger.add_subscription(filter("t."));
  sync({});
  data("u.a", 1, 1, 11);
  EXPECT_EQ(data("t.a", 1, 1, 10).skip, 1u);
}

TEST_F(LedgerOrigins, AnEchoCanBeTheFirstSignOfANewIncarnation) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, 100}});
  sync({{"t.a", 0, 3}}, 11);
  data("t.a", 3, 1, 11);
  EXPECT_EQ(published(s), 1u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerOrigins, MemoryDoesNotGrowWithRestartsAndNothingIsForgotten) {
  const auto s = ledger.add_subscription(filter("t."));
  for (Incarnation incarnation = 10; incarnation < 60; ++incarnation) {
    sync({}, incarnation);
    data("t.a", 1, 2, incarnation);
    data("t.b", 4, 1, incarnation);
    EXPECT_LE(ledger.totals(normal).streams, 4u);
  }
  EXPECT_EQ(published(s), 50u * 6);
  EXPECT_EQ(lost_link(s), 50u * 3);
}

TEST_F(LedgerOrigins, OfADeadOriginWhatOthersKnowIsLost) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_origin_dead(now, {"far", 10});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 9}, {"t.b", 0, 3}, {"u.a", 0, 50}});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 7}});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 0}, {"t.b", 0, std::uint64_t{1} << 63}});
  EXPECT_EQ(published(s), 5u + 3 + 2);
  EXPECT_EQ(lost_died(s), 5u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerOrigins, WhatOthersKnowDoesNotCountWhileTheOriginLives) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 9}});
  EXPECT_EQ(published(s), 5u);
  EXPECT_EQ(lost_died(s), 0u);
}

TEST_F(LedgerOrigins, OfADeadOriginOnlyWhatIsAfterTheBaselineIsLost) {
  ledger.add_subscription(filter("t.b"));
  sync({});
  const auto late = ledger.add_subscription(filter("t.a"));
  ledger.on_origin_dead(now, {"far", 10});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 9}});
  EXPECT_EQ(published(late), 0u);
  EXPECT_EQ(lost_died(late), 0u);
}

TEST_F(LedgerOrigins, ReturnTakesTheLossBackAndTheEchoDecides) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_origin_dead(now, {"far", 10});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 9}});
  ledger.on_origin_back(now, {"far", 10});
  EXPECT_EQ(published(s), 5u);
  EXPECT_EQ(lost_died(s), 0u);
  sync({{"t.a", 0, 11}});
  EXPECT_EQ(published(s), 10u);
  EXPECT_EQ(lost_link(s), 5u);
  EXPECT_EQ(lost_died(s), 0u);
}

TEST_F(LedgerOrigins, LateFramesOfADeadOriginTakeBackWhatTheyProve) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_origin_dead(now, {"far", 10});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 11}});
  EXPECT_EQ(lost_died(s), 5u);
  EXPECT_EQ(data("t.a", 6, 2).skip, 0u);
  EXPECT_EQ(lost_died(s), 3u);
  data("t.a", 9, 4);
  EXPECT_EQ(lost_died(s), 0u);
  EXPECT_EQ(lost_link(s), 1u);
  EXPECT_EQ(published(s), 12u);
}

TEST_F(LedgerOrigins, ASupersededIncarnationIsClosedLikeADeadOne) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_origin_incarnation(now, {"far", 11});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 9}});
  EXPECT_EQ(published(s), 8u);
  EXPECT_EQ(lost_died(s), 3u);
  ledger.on_origin_back(now, {"far", 10});
  EXPECT_EQ(lost_died(s), 3u);

  ledger.on_origin_incarnation(now, {"far", 12});  // folds the first one away
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 900}});
  EXPECT_EQ(published(s), 8u);
  EXPECT_EQ(lost_died(s), 3u);
}

TEST_F(LedgerOrigins, TheDeathOfAnIncarnationAlreadySucceededChangesNothing) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({}, 11);
  ledger.on_origin_dead(now, {"far", 10});
  ledger.on_foreign_tails({"far", 11}, normal, {{"t.a", 0, 9}});
  EXPECT_EQ(published(s), 0u);
  EXPECT_EQ(data("t.a", 1, 1, 11).skip, 0u);
}

TEST_F(LedgerOrigins, KnownTailsAreWhatWasHeardHere) {
  ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, 40}, {"u.a", 0, 9}});
  data("t.b", 1, 3);
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.b", 0, 99}, {"t.c", 0, 5}});
  std::vector<Tail> tails = ledger.known_tails({"far", 10}, normal);
  std::ranges::sort(tails);
  EXPECT_EQ(tails, (std::vector<Tail>{{"t.a", 0, 40}, {"t.b", 0, 4}}));
  EXPECT_TRUE(ledger.known_tails({"far", 10}, Priority::Low).empty());
  EXPECT_TRUE(ledger.known_tails({"far", 9}, normal).empty());
  ledger.on_origin_incarnation(now, {"far", 11});
  EXPECT_EQ(ledger.known_tails({"far", 10}, normal).size(), 2u);
}

TEST_F(LedgerOrigins, AForgottenOriginLeavesItsBooks) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  ledger.on_origin_dead(now, {"far", 10});
  ledger.on_foreign_tails({"far", 10}, normal, {{"t.a", 0, 9}});
  ledger.forget_origin("far");
  EXPECT_EQ(ledger.totals(normal).streams, 0u);
  EXPECT_EQ(published(s), 8u);
  EXPECT_EQ(lost_died(s), 3u);
  EXPECT_FALSE(ledger.synced("far"));
  ledger.forget_origin("here");
  EXPECT_TRUE(ledger.synced("here"));
}

TEST_F(LedgerOrigins, TooManyOriginsAreRefused) {
  ledger.add_subscription(filter("t."));
  for (std::size_t i = 0; i < limits::roster_entries_max; ++i) {
    const std::string name = "n" + std::to_string(i);
    ASSERT_EQ(ledger.on_frame(now, header("t.a", 1, 1, 4, name)).skip, 0u);
  }
  EXPECT_EQ(ledger.on_frame(now, header("t.a", 1, 1, 4, "one-more")).skip, 1u);
  EXPECT_EQ(ledger.totals(normal).refused_streams, 1u);
  ledger.on_origin_dead(now, {"one-more", 4});
  ledger.on_origin_back(now, {"one-more", 4});
}

}  // namespace
}  // namespace legion
