#include "streams_kit.hpp"

namespace legion {
namespace {

using namespace streams_kit;
using LedgerFrames = LedgerTest;

TEST_F(LedgerFrames, FramesInOrderArePublishedAndNothingIsLost) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  EXPECT_EQ(data("t.a", 1, 3).skip, 0u);
  const FrameVerdict verdict = data("t.a", 4, 2);
  EXPECT_EQ(verdict.skip, 0u);
  EXPECT_EQ(verdict.gap, 0u);
  ASSERT_EQ(verdict.routes->size(), 1u);
  EXPECT_EQ(verdict.routes->front().subscription, s);
  EXPECT_EQ(verdict.routes->front().booked_from, 1u);
  EXPECT_EQ(published(s), 5u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerFrames, AFrameOfALaneThatDoesNotExistIsSkippedAndTouchesNothing) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  FrameHeader foreign = header("t.a", 1, 3, 10);
  foreign.lane = static_cast<Priority>(limits::lane_count);
  EXPECT_EQ(ledger.on_frame(now, foreign).skip, 3u);
  EXPECT_EQ(published(s), 0u);
  EXPECT_EQ(data("t.a", 1, 3).skip, 0u);
  EXPECT_EQ(published(s), 3u);
}

TEST_F(LedgerFrames, RepeatedFramesAreDuplicates) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 3);
  EXPECT_EQ(data("t.a", 1, 3).skip, 3u);
  EXPECT_EQ(data("t.a", 2, 1).skip, 1u);
  EXPECT_EQ(published(s), 3u);
  EXPECT_EQ(ledger.totals(normal).duplicates, 4u);
}

TEST_F(LedgerFrames, APartlySeenFrameIsSkippedUpToWhereItIsNew) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 3);
  const FrameVerdict verdict = data("t.a", 2, 5);
  EXPECT_EQ(verdict.skip, 2u);
  EXPECT_EQ(verdict.gap, 0u);
  EXPECT_EQ(published(s), 6u);
  EXPECT_EQ(data("t.a", 7, 1).skip, 0u);
}

TEST_F(LedgerFrames, AGapIsLostForEverySubscriptionThatHasItsBaseline) {
  const auto exact = ledger.add_subscription(filter("t.a"));
  const auto family = ledger.add_subscription(filter("t."));
  const auto other = ledger.add_subscription(filter("u."));
  sync({{"t.a", 0, 10}});
  const FrameVerdict verdict = data("t.a", 15, 2);
  EXPECT_EQ(verdict.gap, 5u);
  EXPECT_EQ(verdict.skip, 0u);
  for (const auto s : {exact, family}) {
    EXPECT_EQ(published(s), 7u);
    EXPECT_EQ(lost_link(s), 5u);
  }
  EXPECT_EQ(published(other), 0u);
  EXPECT_EQ(ledger.totals(normal).lost_link, 5u);
}

TEST_F(LedgerFrames, AGapBeforeTheBaselineIsNobodysLoss) {
  const auto s = ledger.add_subscription(filter("t."));
  data("t.a", 3, 1);
  EXPECT_EQ(data("t.a", 9, 1).gap, 5u);
  EXPECT_EQ(published(s), 0u);
  EXPECT_EQ(lost_link(s), 0u);
  EXPECT_EQ(ledger.totals(normal).lost_link, 0u);
}

TEST_F(LedgerFrames, AFrameFarBeyondIsDeliveredAndWhatLiesBetweenIsLost) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  const FrameVerdict verdict = data("t.a", 1'000'000'000'001, 2);
  EXPECT_EQ(verdict.skip, 0u);
  EXPECT_EQ(lost_link(s), 1'000'000'000'000u);
  EXPECT_EQ(published(s), 1'000'000'000'002u);
}

TEST_F(LedgerFrames, ATailMarkerFindsALostLastEvent) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 3);
  const FrameVerdict verdict = marker("t.a", 6);
  EXPECT_EQ(verdict.gap, 2u);
  EXPECT_EQ(verdict.skip, 0u);
  EXPECT_EQ(published(s), 5u);
  EXPECT_EQ(lost_link(s), 2u);
  EXPECT_EQ(data("t.a", 6, 1).gap, 0u);
}

TEST_F(LedgerFrames, AStreamOnlyItsMarkerIsHeardOfIsLostFromOne) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  marker("t.a", 4);
  EXPECT_EQ(published(s), 3u);
  EXPECT_EQ(lost_link(s), 3u);
}

TEST_F(LedgerFrames, AMarkerThatAgreesOrGoesBackwardsChangesNothing) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 5);
  EXPECT_EQ(marker("t.a", 6).gap, 0u);
  EXPECT_EQ(marker("t.a", 2).gap, 0u);
  EXPECT_EQ(data("t.a", 6, 1).skip, 0u);
  EXPECT_EQ(published(s), 6u);
  EXPECT_EQ(lost_link(s), 0u);
  EXPECT_EQ(ledger.totals(normal).markers, 2u);
}

TEST_F(LedgerFrames, SequencesNoOriginReachesAreNotBelieved) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, UINT64_MAX}, {"t.b", 0, 0}});
  data("t.a", 1, 2);
  EXPECT_EQ(data("t.a", UINT64_MAX, 2).skip, 2u);
  EXPECT_EQ(data("t.a", UINT64_MAX - 1, 1).skip, 1u);
  EXPECT_EQ(data("t.a", 0, 2).skip, 2u);
  marker("t.a", UINT64_MAX);
  EXPECT_EQ(data("t.a", 3, 1).skip, 0u);
  EXPECT_EQ(published(s), 3u);
  EXPECT_EQ(lost_link(s), 0u);
  EXPECT_EQ(ledger.totals(normal).implausible, 6u);
}

TEST_F(LedgerFrames, ShardsTypesLanesAndOriginsAreSeparateStreams) {
  const auto s = ledger.add_subscription(filter("*"));
  FrameHeader h = header("t.a", 1, 1, 10);
  std::vector<StreamNumber> numbers;
  const auto hear = [&] {
    const FrameVerdict verdict = ledger.on_frame(now, h);
    EXPECT_EQ(verdict.skip, 0u);
    numbers.push_back(verdict.stream);
  };
  hear();
  h.shard = 1;
  hear();
  h.lane = Priority::Critical;
  hear();
  h.type = "t.b";
  hear();
  h.origin = "third";
  hear();
  EXPECT_EQ(ledger.totals(normal).streams + ledger.totals(Priority::Critical).streams, 5u);
  std::ranges::sort(numbers);
  EXPECT_EQ(std::ranges::unique(numbers).begin(), numbers.end());
  EXPECT_EQ(published(s), 0u);
}

TEST_F(LedgerFrames, TheNumberOfAStreamIsStable) {
  ledger.add_subscription(filter("*"));
  const StreamNumber a = data("t.a", 1, 1).stream;
  data("t.b", 1, 1);
  ledger.add_subscription(filter("t."));
  EXPECT_EQ(data("t.a", 2, 1).stream, a);
}

TEST_F(LedgerFrames, TheOwnOriginCountsFromItsFirstEvent) {
  const auto s = ledger.add_subscription(filter("t."));
  const auto own = [&](std::uint64_t first, std::uint32_t count) {
    return ledger.on_frame(now, header("t.a", first, count, 5, "here"));
  };
  EXPECT_EQ(own(1, 2).routes->front().booked_from, 1u);
  EXPECT_EQ(own(3, 1).skip, 0u);
  EXPECT_TRUE(ledger.synced("here"));
  EXPECT_EQ(published(s), 3u);

  const auto late = ledger.add_subscription(filter("*"));
  const FrameVerdict verdict = own(4, 2);
  ASSERT_EQ(verdict.routes->size(), 2u);
  EXPECT_EQ(verdict.routes->at(1).booked_from, 4u);
  EXPECT_EQ(published(s), 5u);
  EXPECT_EQ(published(late), 2u);
  EXPECT_EQ(lost_link(late), 0u);
}

TEST_F(LedgerFrames, AnOwnStreamNobodyWantedBeforeIsNotLost) {
  const auto early = ledger.add_subscription(filter("t."));
  EXPECT_FALSE(ledger.wanted("u.a"));
  const auto late = ledger.add_subscription(filter("u."));
  EXPECT_TRUE(ledger.wanted("u.a"));
  EXPECT_EQ(ledger.on_frame(now, header("u.a", 50, 1, 5, "here")).gap, 0u);
  EXPECT_EQ(published(late), 1u);
  EXPECT_EQ(lost_link(late), 0u);
  EXPECT_EQ(published(early), 0u);
}

TEST_F(LedgerFrames, AForeignLifeUnderTheOwnNameDoesNotCloseTheOwn) {
  const auto s = ledger.add_subscription(filter("t."));
  ledger.on_frame(now, header("t.a", 1, 1, 5, "here"));
  EXPECT_EQ(ledger.on_frame(now, header("t.a", 1, 4, 99, "here")).skip, 4u);
  ledger.on_origin_incarnation(now, {"here", 99});
  EXPECT_EQ(ledger.on_frame(now, header("t.a", 2, 1, 5, "here")).skip, 0u);
  EXPECT_EQ(published(s), 2u);
}

TEST_F(LedgerFrames, FamiliesAndEverythingLeaveReservedTypesOut) {
  ledger.add_subscription(filter("*"));
  const FrameVerdict verdict = data("~record", 7, 1);
  EXPECT_TRUE(verdict.routes->empty());
  EXPECT_EQ(ledger.totals(normal).streams, 0u);
  EXPECT_FALSE(ledger.wanted("~record"));
}

TEST_F(LedgerFrames, AnObserverHasNoOriginOfItsOwn) {
  Ledger observer("~1f", std::nullopt, 3);
  observer.add_subscription(filter("t."));
  EXPECT_EQ(observer.begin_sync(now, "far", normal).receiver, "~1f");
  EXPECT_EQ(observer.on_frame(now, header("t.a", 1, 1, 5, "here")).skip, 0u);
}

TEST_F(LedgerFrames, AStreamBeyondTheBoundIsRefusedAndCounted) {
  const auto s = ledger.add_subscription(filter("*"));
  sync({});
  for (std::size_t i = 0; i < limits::streams_per_origin_max; ++i) data("t." + std::to_string(i), 1, 1);
  EXPECT_EQ(data("one.more", 1, 3).skip, 3u);
  EXPECT_EQ(data("t.5", 2, 1).skip, 0u);
  EXPECT_EQ(ledger.on_frame(now, header("t.5", 1, 1, 4, "third")).skip, 0u);
  EXPECT_EQ(ledger.totals(normal).refused_streams, 1u);
  EXPECT_EQ(published(s), limits::streams_per_origin_max + 1);
}

TEST_F(LedgerFrames, RemovedSubscriptionsKeepTheirBooksAndGetNothingMore) {
  const auto gone = ledger.add_subscription(filter("t."));
  const auto stays = ledger.add_subscription(filter("t.a"));
  sync({});
  data("t.a", 1, 2);
  data("t.b", 3, 1);
  ledger.remove_subscription(gone);
  EXPECT_EQ(data("t.a", 5, 1).routes->size(), 1u);
  EXPECT_TRUE(data("t.b", 4, 1).routes->empty());
  EXPECT_EQ(published(gone), 5u);
  EXPECT_EQ(lost_link(gone), 2u);
  EXPECT_EQ(published(stays), 5u);
  EXPECT_EQ(lost_link(stays), 2u);
  EXPECT_EQ(ledger.totals(normal).streams, 1u);
  EXPECT_FALSE(ledger.wanted("t.b"));
}

TEST_F(LedgerFrames, FiltersAreNamedOnce) {
  ledger.add_subscription(filter("t."));
  const auto second = ledger.add_subscription(filter("t."));
  ledger.add_subscription(filter("a.b"));
  EXPECT_EQ(ledger.filters().size(), 2u);
  ledger.remove_subscription(second);
  EXPECT_EQ(ledger.filters().size(), 2u);
}

}  // namespace
}  // namespace legion
