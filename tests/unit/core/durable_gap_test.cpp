// What nobody gives: when it is lost, and what waits until then.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");

class DurableGaps : public testing::Test {
 protected:
  void begin(const DurableKit::Sub& sub = {}) {
    kit.subscribe(sub);
    kit.spool();
    kit.start();
  }
  /// A gap before event 5: s1 says never of it, with this reason and how far it trimmed; at s2 it is missing.
  void meet_gap(const std::string& why, const JournalPositions& floor, const JournalPositions& through) {
    kit.subscribe({});
    kit.spool("s1").floor = floor;
    kit.spool("s1").say_never(trades, 1, 4, why);
    kit.spool("s2").through = through;
    kit.start();
    kit.live(frame_in(trades, 5, 1));
    kit.settle(5s);
  }
  DurableKit kit;
};

TEST_F(DurableGaps, AGapClosesOnlyWhenEverySpoolSaysNever) {
  kit.subscribe({});
  kit.spool("s1").say_never(trades, 1, 4, "voided");
  kit.spool("s2");
  kit.start();
  kit.live(frame_in(trades, 5, 1));
  kit.settle(5s);
  EXPECT_THAT(kit.lost, IsEmpty());
  EXPECT_THAT(kit.handled(), IsEmpty());
  kit.spool("s2").say_never(trades, 1, 2, "trimmed");
  kit.settle(5s);
  ASSERT_THAT(kit.lost, SizeIs(1));
  EXPECT_EQ(kit.lost[0].first, 1u);
  EXPECT_EQ(kit.lost[0].last, 2u);
  EXPECT_THAT(kit.handled(), IsEmpty());
  kit.spool("s2").say_never(trades, 3, 4, "trimmed");
  kit.settle(5s);
  EXPECT_THAT(kit.handled(), ElementsAre(5));
  EXPECT_EQ(kit.figures().lost, 4u);
  EXPECT_EQ(kit.durable.books({0}).lost_for(LossReason::Gone), 4u);
  EXPECT_EQ(kit.done(trades), 5u);
}

TEST_F(DurableGaps, AGapClosesWhereOneSpoolTrimmedWhatWillNotComeToAnother) {
  meet_gap("trimmed", {3, 7}, {9, 6});
  EXPECT_THAT(kit.lost, IsEmpty()) << "one of the positions s2 lacks may be the one";
  kit.spool("s2").through = {3, 7};
  kit.settle(5s);
  ASSERT_THAT(kit.lost, SizeIs(1));
  EXPECT_EQ(kit.lost[0].last, 4u);
  EXPECT_EQ(kit.lost[0].why, "trimmed");
  EXPECT_THAT(kit.handled(), ElementsAre(5));
}

TEST_F(DurableGaps, AGapStaysOpenWhileASpoolDoesNotSayHowFarItTrimmed) {
  meet_gap("trimmed", {}, {9, 9});
  EXPECT_THAT(kit.lost, IsEmpty());
}

TEST_F(DurableGaps, WhatOneSpoolVoidedMayBeAtAnother) {
  meet_gap("voided", {3, 7}, {9, 9});
  EXPECT_THAT(kit.lost, IsEmpty());
}

TEST_F(DurableGaps, ASpoolThatIsAwayKeepsAGapOpen) {
  kit.subscribe({});
  kit.spool("s1");
  kit.spool("s2");
  kit.start();
  kit.spool("s2").reachable = false;
  kit.start();
  kit.spool("s1").say_never(trades, 1, 4, "voided");
  kit.live(frame_in(trades, 5, 1));
  kit.settle(60s);
  EXPECT_THAT(kit.lost, IsEmpty());
  ASSERT_THAT(kit.stalls, SizeIs(1));
  EXPECT_THAT(kit.stalls[0].why, HasSubstr("s2 is not reachable"));
  EXPECT_THAT(kit.figures().streams.at(0).stalled, HasSubstr("waits for 1"));
  kit.spool("s2").reachable = true;
  kit.spool("s2").store(frame_in(trades, 1, 4));
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 4, 5));
  ASSERT_THAT(kit.stalls, SizeIs(2));
  EXPECT_EQ(kit.stalls[1].why, "");
}

TEST_F(DurableGaps, ASpoolThatIsForgottenDoesNotCount) {
  kit.subscribe({});
  kit.spool("s1");
  kit.spool("s2");
  kit.start();
  kit.spool("s1").say_never(trades, 1, 4, "voided");
  kit.live(frame_in(trades, 5, 1));
  kit.settle(3s);
  kit.spools.erase("s2");
  kit.start();
  kit.settle(3s);
  EXPECT_THAT(kit.handled(), ElementsAre(5));
}

TEST_F(DurableGaps, WhatASpoolThatLeftMayHaveIsWaitedFor) {
  kit.spool("s1").say_never(trades, 1, 4, "voided");
  kit.spool("s2").store(frame_in(trades, 1, 2));
  kit.spool("s2").say_never(trades, 3, 4, "voided");
  kit.spool("s2").reachable = false;
  kit.spool("s2").presence = KnownSpool::Presence::Left;
  kit.subscribe({});
  kit.start();
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active) << "it begins without";
  kit.live(frame_in(trades, 5, 1));
  kit.settle(5s);
  EXPECT_THAT(kit.lost, IsEmpty());
  EXPECT_EQ(kit.figures().streams.at(0).stalled, "waits for 1: s1 voided, s2 has left");
  kit.spool("s2").reachable = true;
  kit.spool("s2").presence = KnownSpool::Presence::Here;
  kit.start();
  kit.settle(3s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 5));
}

TEST_F(DurableGaps, OnlyTheStreamWithTheGapStandsStill) {
  begin();
  const StreamId other = stream_named("trade.other");
  kit.live(frame_in(trades, 5, 1));
  kit.publish(frame_in(other, 1, 3));
  kit.settle(10s);
  kit.publish(frame_in(other, 4, 1));
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(kit.figures().streams.at(0).stalled, HasSubstr("s1 missing"));
}

TEST_F(DurableGaps, VoidsBetweenFramesArePassedInOrder) {
  kit.subscribe({});
  kit.spool().store(frame_in(trades, 1, 3));
  kit.spool().say_never(trades, 4, 6, "voided");
  kit.spool().store(frame_in(trades, 7, 2));
  kit.spool().say_never(trades, 9, 9, "voided");
  kit.spool().store(frame_in(trades, 10, 1));
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 7, 8, 10));
  EXPECT_EQ(kit.figures().lost, 4u);
}

TEST_F(DurableGaps, WhatIsTrimmedByTheMillionIsOneStep) {
  kit.subscribe({});
  kit.spool().say_never(trades, 1, 1'000'000, "trimmed");
  kit.spool().store(frame_in(trades, 1'000'001, 2));
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(1'000'001, 1'000'002));
  EXPECT_THAT(kit.lost, SizeIs(1));
}

TEST_F(DurableGaps, TheEndOfAnIncarnationIsLostWhenTheSpoolsSaySo) {
  begin();
  kit.publish(frame_in(trades, 1, 2));
  kit.durable.on_tail(kit.now, trades, 6);  // somebody heard of 3, 4 and 5
  kit.settle(5s);
  EXPECT_THAT(kit.lost, IsEmpty());
  kit.spool().say_never(trades, 3, ~std::uint64_t{0} >> 12, "end_of_life");
  kit.settle(5s);
  ASSERT_THAT(kit.lost, SizeIs(1));
  EXPECT_EQ(kit.lost[0].last, 5u);
  EXPECT_EQ(kit.lost[0].why, "end_of_life");
}

TEST_F(DurableGaps, WhatIsNotJournalledGoesOnWhereItGoesOn) {
  DurableConfig config;
  config.is_journalled = [](std::string_view type) { return type != "trade.tick"; };
  DurableKit live(config);
  live.subscribe({});
  live.spool();
  live.start();
  const StreamId ticks = stream_named("trade.tick");
  live.live(frame_in(ticks, 100, 2));
  live.live(frame_in(ticks, 105, 1));
  live.settle(1s);
  EXPECT_THAT(live.handled(), ElementsAre(100, 101, 105));
  EXPECT_EQ(live.figures().lost, 3u);
  EXPECT_THAT(live.asked<AskStream>(), IsEmpty());
  EXPECT_THAT(live.cursor().streams, IsEmpty());
}

TEST_F(DurableGaps, OfWhatIsNotJournalledATailShowsTheLostEnd) {
  DurableConfig config;
  config.is_journalled = [](std::string_view type) { return type != "trade.tick"; };
  DurableKit live(config);
  live.subscribe({});
  live.spool();
  live.start();
  const StreamId ticks = stream_named("trade.tick");
  live.durable.on_tail(live.now, ticks, 5);
  live.settle(1s);
  EXPECT_THAT(live.lost, IsEmpty()) << "before it was met it is not known where it begins";
  live.live(frame_in(ticks, 7, 2));
  live.durable.on_tail(live.now, ticks, 9);
  live.settle(1s);
  EXPECT_THAT(live.lost, IsEmpty());
  live.durable.on_tail(live.now, ticks, 12);
  live.settle(1s);
  ASSERT_THAT(live.lost, SizeIs(1));
  EXPECT_EQ(live.lost[0].first, 9u);
  EXPECT_EQ(live.lost[0].last, 11u);
  live.durable.on_tail(live.now, ticks, ~std::uint64_t{0});  // nobody publishes that many
  live.live(frame_in(ticks, 10, 1));                         // late, and counted
  live.live(frame_in(ticks, 12, 1));
  live.settle(1s);
  EXPECT_THAT(live.handled(), ElementsAre(7, 8, 12));
  EXPECT_EQ(live.figures().lost, 3u);
}

TEST_F(DurableGaps, WhatASpoolHasIsJournalledAfterAll) {
  DurableConfig config;
  config.is_journalled = [](std::string_view) { return false; };
  DurableKit live(config);
  live.subscribe({});
  live.spool().store(frame_in(trades, 1, 3));
  live.start();
  live.publish(frame_in(trades, 4, 1));
  live.spool().store(frame_in(trades, 5, 1));
  live.live(frame_in(trades, 6, 1));
  live.settle(1s);
  EXPECT_THAT(live.handled(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(live.done(trades), 5u + 1u);
}

}  // namespace
}  // namespace legion::test
