// What is kept stays within its bounds, and the bounds stop nothing for ever.
#include <algorithm>

#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");

TEST(DurableBounds, AThousandVoidsOfOneSpoolLeaveRoomForTheWordOfAnother) {
  DurableConfig config;
  config.page_bytes = 1 << 20;
  DurableKit two(config);
  two.subscribe({});
  for (const char* name : {"s1", "s2"}) {
    for (std::uint64_t n = 1; n < 1000; n += 2) {
      two.spool(name).say_never(trades, n, n, "voided");
      two.spool(name).store(frame_in(trades, n + 1, 1));
    }
  }
  two.start();
  two.settle(2s);
  EXPECT_THAT(two.handled(), SizeIs(500));
  EXPECT_EQ(two.figures().lost, 500u);
  EXPECT_EQ(two.figures().pending, 0u);
}

/// Each of them lacks what comes next, and none may have a page of its own while the handler is slow.
TEST(DurableBounds, ManyStreamsBehindASlowHandlerHoldNoMoreThanTheBound) {
  DurableConfig config;
  config.buffer_bytes = 256 << 10;
  config.page_bytes = 32 << 10;
  DurableKit many(config);
  many.subscribe({.capacity = 4});
  constexpr int streams = 60;
  for (int n = 0; n < streams; ++n) {
    const StreamId stream = stream_named("trade.t" + std::to_string(n));
    for (std::uint64_t first = 1; first <= 40; ++first) {
      many.spool().store(frame_in(stream, first, 1, {1'000'000'000}, {}, 1000));
    }
  }
  many.meet_spools();
  std::uint64_t most = 0;
  for (int round = 0; round < 6000 && many.handed.size() < streams * 40u; ++round) {
    many.answer_queries();
    many.confirm_records();
    many.handle(1);
    most = std::max(most, many.figures().held_bytes);
    if (round % 4 == 0) many.pass(50ms);
  }
  EXPECT_THAT(many.handed, SizeIs(streams * 40u));
  EXPECT_LE(most, config.buffer_bytes + config.page_bytes + config.queries_max * 2000);
}

/// What no spool has cannot be read again: beyond the capacity it is lost, and counted.
TEST(DurableBounds, WhatIsNotJournalledAndDoesNotFitIsLostAndCounted) {
  DurableConfig config;
  config.is_journalled = [](std::string_view) { return false; };
  DurableKit kit(config);
  kit.subscribe({.capacity = 3});
  kit.spool();
  kit.start();
  for (std::uint64_t n = 1; n <= 10; ++n) kit.live(frame_in(trades, n, 1));
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(kit.figures().lost, 7u);
  EXPECT_EQ(kit.figures().pending, 0u);
  ASSERT_FALSE(kit.lost.empty());
  for (const LostForGood& gone : kit.lost) EXPECT_EQ(gone.why, "no_room");
  kit.live(frame_in(trades, 11, 1));
  kit.settle();
  EXPECT_THAT(kit.handled(), testing::ElementsAre(1, 2, 3, 11));
}

/// It was live only when this node met it, and a spool that began to keep it has what was missed since.
TEST(DurableBounds, AStreamThatASpoolBeginsToKeepIsRepairedFromThereOn) {
  DurableConfig config;
  config.is_journalled = [](std::string_view) { return false; };
  DurableKit kit(config);
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.live(frame_in(trades, 1, 2));
  kit.settle(1s);
  EXPECT_THAT(kit.cursor().streams, testing::IsEmpty());
  for (std::uint64_t n = 3; n <= 6; ++n) kit.spool().store(frame_in(trades, n, 1));  // none of them came here
  kit.start();
  kit.settle(10s);
  EXPECT_THAT(kit.handled(), testing::ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(kit.figures().lost, 0u);
  EXPECT_EQ(kit.done(trades), 6u);
}

}  // namespace
}  // namespace legion::test
