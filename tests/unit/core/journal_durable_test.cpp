// What is durable, what is kept and what gives way.
#include <set>

#include "journal_kit.hpp"

namespace legion {
namespace {

using namespace journal_kit;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::uint64_t cost_of(const Published& published) {
  Numbering numbering;
  return Journal::cost(numbering.next(published).bytes->size());
}

TEST_F(JournalTest, DurableIsToldForEveryNumberUpToTheHighestAskedFor) {
  append(confirmed);
  open("s1", 1);
  open("s2", 2);
  acknowledge("s1", confirmed, 1);
  acknowledge("s2", confirmed, 1);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 1)));  // nobody asked for two
  append(confirmed, {.spools = 2});
  append(confirmed);
  turn();
  acknowledge("s1", confirmed, 3);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 3), std::pair(2, 1)));
  acknowledge("s2", confirmed, 2);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(2, 2)));
}

TEST_F(JournalTest, AStoreReachedUnderTwoNamesCountsOnce) {
  append(confirmed, {.spools = 2});
  open("s1", 1);
  open("s2", 1);
  EXPECT_THAT(lines, ::testing::Contains(HasSubstr("also reached under another name")));
  acknowledge("s1", confirmed, 1);
  acknowledge("s2", confirmed, 1);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 1)));
  open("s3", 3);
  acknowledge("s3", confirmed, 1);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(2, 1)));
}

TEST_F(JournalTest, AStoreCountsWhileItIsAwayAndAfterItLeft) {
  append(confirmed, {.spools = 2});
  open("s1", 1);
  acknowledge("s1", confirmed, 1);
  the_journal().on_link_down(now, "s1");
  the_journal().on_spool_gone(now, "s1");
  open("s2", 2);
  acknowledge("s2", confirmed, 1);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 1), std::pair(2, 1)));
}

TEST_F(JournalTest, AnOlderCopyDoesNotCountForWhatItLost) {
  append_many(confirmed, 3, {.spools = 2});
  open("s1", 1);
  acknowledge("s1", confirmed, 3);
  open("s1", 1, {1, 1 << 20, {}});
  open("s2", 2);
  acknowledge("s2", confirmed, 3);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 3), std::pair(2, 1)));
  acknowledge("s1", confirmed, 3);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(2, 3)));
}

TEST_F(JournalTest, DurableNeverGoesBack) {
  append_many(confirmed, 5);
  open("s1", 1);
  acknowledge("s1", confirmed, 5);
  take_durable(confirmed);
  open("s1", 1, {2, 1 << 20, {}});
  acknowledge("s1", confirmed, 4);
  EXPECT_THAT(take_durable(confirmed), IsEmpty());
  EXPECT_EQ(the_journal().figures(confirmed).durable, 5u);
}

TEST_F(JournalTest, ReservationsEndWhenTheRequiredNumberOfSpoolsHasTheFrame) {
  const Published one{.spools = 1, .bytes = 1000};
  const Published two{.spools = 2, .bytes = 3000};
  append(confirmed, one);
  append(confirmed, two);
  append(confirmed, one);
  open("s1", 1);
  acknowledge("s1", confirmed, 3);
  EXPECT_EQ(the_journal().take_released_bytes(), 2 * cost_of(one));
  EXPECT_EQ(the_journal().figures(confirmed).unconfirmed_events, 1u);
  open("s2", 2);
  acknowledge("s2", confirmed, 3);
  EXPECT_EQ(the_journal().take_released_bytes(), cost_of(two));
  EXPECT_EQ(the_journal().take_released_bytes(), 0u);
  EXPECT_EQ(the_journal().figures(confirmed).unconfirmed_events, 0u);
}

TEST_F(JournalTest, WhatEverySpoolHasIsDropped) {
  append_many(confirmed, 4, {.bytes = 1000});
  open("s1", 1);
  open("s2", 2);
  acknowledge("s1", confirmed, 4);
  EXPECT_GT(the_journal().figures(confirmed).bytes, 4000u);
  acknowledge("s2", confirmed, 3);
  EXPECT_EQ(the_journal().figures(confirmed).bytes, cost_of({.bytes = 1000}));
  the_journal().on_spool_gone(now, "s2");
  EXPECT_EQ(the_journal().figures(confirmed).bytes, 0u);
}

TEST_F(JournalTest, FramesAreKeptForLaggardsWhileThereIsRoom) {
  const Published published{.bytes = 1000};
  config.confirmed_bytes = 5 * cost_of(published);
  open("s2", 2);
  the_journal().on_link_down(now, "s2");
  open("s1", 1);
  for (int i = 0; i < 5; ++i) {
    append(confirmed, published);
    turn();
    acknowledge("s1", confirmed, append(confirmed, published));
  }
  EXPECT_EQ(the_journal().figures(confirmed).bytes, config.confirmed_bytes);
  open("s2", 2);
  const auto messages = take("s2");
  EXPECT_EQ(std::get<SkipRange>(messages[0]).range, (PositionRange{1, 5}));
  EXPECT_EQ(messages.size(), 6u);
}

TEST_F(JournalTest, ConfirmedFramesStayUntilTheRequiredNumberHasThem) {
  const Published published{.spools = 2, .bytes = 1000};
  config.confirmed_bytes = 2 * cost_of(published);
  open("s1", 1);
  append_many(confirmed, 6, published);
  acknowledge("s1", confirmed, 6);
  EXPECT_EQ(the_journal().figures(confirmed).bytes, 6 * cost_of(published));  // whoever appends does not reserve
  open("s2", 2);
  EXPECT_THAT(take_positions("s2"), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(JournalTest, AFrameThatWaitsForMoreSpoolsDoesNotKeepTheOthers) {
  const Published one{.spools = 1, .bytes = 1000};
  const Published two{.spools = 2, .bytes = 1000};
  config.confirmed_bytes = 4 * cost_of(one);
  open("s1", 1);
  for (int i = 0; i < 50; ++i) {
    append(confirmed, i % 20 == 10 ? two : one);
    turn();
    acknowledge("s1", confirmed, the_journal().figures(confirmed).last);
    EXPECT_LE(the_journal().figures(confirmed).bytes, config.confirmed_bytes + cost_of(one));
  }
  open("s2", 2);
  std::set<Position> held;
  std::set<Position> skipped;
  Position next = 1;
  for (const ToSpool& message : take("s2")) {
    if (const auto* skip = std::get_if<SkipRange>(&message)) {
      EXPECT_EQ(skip->range.first, next);
      for (; next <= skip->range.last; ++next) skipped.insert(next);
    } else if (const auto* append = std::get_if<AppendFrame>(&message)) {
      EXPECT_EQ(append->position, next);
      held.insert(next++);
    }
  }
  EXPECT_EQ(next, 51u);
  EXPECT_TRUE(held.contains(11) && held.contains(31) && held.contains(50));
  EXPECT_TRUE(skipped.contains(1) && skipped.contains(12) && skipped.contains(40));
  acknowledge("s2", confirmed, 50);
  EXPECT_EQ(the_journal().figures(confirmed).unconfirmed_events, 0u);
}

TEST_F(JournalTest, WhatHasItsNumberGoesAlsoBehindAFrameThatNeedsMore) {
  const Published two{.spools = 2, .bytes = 1000};
  config.confirmed_bytes = 4 * cost_of(two);
  open("s1", 1);
  append(confirmed, {.spools = 3, .bytes = 1000});
  append_many(confirmed, 4, two);
  append(confirmed, two);  // nothing can go yet
  EXPECT_EQ(the_journal().figures(confirmed).bytes, 6 * cost_of(two));
  turn();
  acknowledge("s1", confirmed, 6);
  open("s2", 2);
  acknowledge("s2", confirmed, 5);
  append(confirmed, two);
  EXPECT_EQ(the_journal().figures(confirmed).bytes, 4 * cost_of(two));
}

TEST_F(JournalTest, AnOlderCopyUnderTwoNamesIsAskedAgainUnderBoth) {
  open("s1", 1);
  open("t1", 1);
  append_many(confirmed, 4, {.spools = 2});
  turn();
  acknowledge("s1", confirmed, 4);
  acknowledge("t1", confirmed, 4);
  take("t1");
  open("s1", 1, {1, 1 << 20, {}});
  EXPECT_EQ(take_all<OpenLink>("t1").size(), 1u);
  acknowledge("t1", confirmed, 4);  // of the session before
  open("s2", 2);
  acknowledge("s2", confirmed, 4);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 4), std::pair(2, 1)));
}

TEST_F(JournalTest, ReleasedIsToldWhereFramesWaitForIt) {
  open("s1", 1);
  open("s2", 2);
  append(confirmed, {.spools = 2});
  turn();
  acknowledge("s1", confirmed, 1);
  acknowledge("s2", confirmed, 1);
  EXPECT_THAT(take_all<Released>("s1"), IsEmpty());
  append(confirmed, {.spools = 2, .after_confirm = true});
  turn();
  acknowledge("s1", confirmed, 2);
  EXPECT_THAT(take_all<Released>("s1"), IsEmpty());
  acknowledge("s2", confirmed, 2);
  for (const std::string spool : {"s1", "s2"}) {
    const auto released = take_all<Released>(spool);
    ASSERT_EQ(released.size(), 1u);
    EXPECT_EQ(released[0].spools, 2);
    EXPECT_EQ(released[0].through, 2u);
  }
  open("s2", 2, {2, 1 << 20, {}});  // told again in every session
  EXPECT_EQ(take_all<Released>("s2").size(), 1u);
}

TEST_F(JournalTest, DegradedWhileTooFewDifferentStoresAreOpen) {
  EXPECT_FALSE(the_journal().degraded());
  append(captured);
  EXPECT_FALSE(the_journal().degraded());  // a mesh without a spool is not ill
  the_journal().expect_spools(1);
  EXPECT_TRUE(the_journal().degraded());
  open("s1", 1);
  EXPECT_FALSE(the_journal().degraded());
  append(confirmed, {.spools = 2});
  EXPECT_TRUE(the_journal().degraded());
  open("s2", 1);
  EXPECT_TRUE(the_journal().degraded());
  open("s3", 2);
  EXPECT_FALSE(the_journal().degraded());
  the_journal().on_link_down(now, "s3");
  EXPECT_TRUE(the_journal().degraded());
}

TEST_F(JournalTest, FiguresAddUp) {
  append_many(confirmed, 3, {.count = 5});
  append_many(captured, 2, {.count = 7});
  open("s1", 1);
  acknowledge("s1", confirmed, 2);
  const Journal::Figures of_confirmed = the_journal().figures(confirmed);
  EXPECT_EQ(of_confirmed.last, 3u);
  EXPECT_EQ(of_confirmed.durable, 2u);
  EXPECT_EQ(of_confirmed.durable_events, 10u);
  EXPECT_EQ(of_confirmed.unconfirmed_events, 5u);
  EXPECT_EQ(of_confirmed.voided_events, 0u);
  EXPECT_EQ(the_journal().figures(captured).unconfirmed_events, 14u);
}

}  // namespace
}  // namespace legion
