// The books of a durable subscription: what is known to exist, and where it is.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;

const StreamId trades = stream_named("trade.approved");

class DurableBooks : public testing::Test {
 protected:
  void expect(std::uint64_t published, std::uint64_t delivered, std::uint64_t pending) {
    const Books books = kit.books();
    EXPECT_EQ(books.published, published);
    EXPECT_EQ(books.delivered, delivered);
    EXPECT_EQ(books.pending, pending);
    EXPECT_EQ(books.balance(), 0);
  }

  DurableKit kit;
};

TEST_F(DurableBooks, WhatIsMissingIsPendingUntilASpoolHasIt) {
  kit.subscribe({});
  kit.spool("s1");
  kit.start();
  kit.live(frame_in(trades, 5, 2));
  kit.settle(1s);
  expect(6, 0, 6);
  kit.spool("s1").store(frame_in(trades, 1, 4));
  kit.settle(5s);
  expect(6, 6, 0);
}

TEST_F(DurableBooks, ATailSaysWhatExists) {
  kit.subscribe({});
  kit.spool("s1");
  kit.start();
  kit.durable.on_tail(kit.now, trades, 11);
  kit.settle();
  expect(10, 0, 10);
  kit.durable.on_tail(kit.now, trades, 4);  // late
  kit.settle();
  expect(10, 0, 10);
}

TEST_F(DurableBooks, WhatNoSpoolWillEverHaveIsGone) {
  kit.subscribe({});
  kit.spool("s1").say_never(trades, 1, 4, "voided");
  kit.start();
  kit.live(frame_in(trades, 5, 1));
  kit.settle(5s);
  expect(5, 1, 0);
  EXPECT_EQ(kit.books().lost_for(LossReason::Gone), 4u);
}

TEST_F(DurableBooks, ALifeThatGoesOnCountsWhatIsLeft) {
  kit.subscribe({});
  kit.spool("s1").store(frame_in(trades, 1, 10));
  CursorRecord cursor{"orders", {1, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 3, {{6, 7}}}}};
  kit.spool("s1").record(cursor);
  kit.start();
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(4, 5, 8, 9, 10));
  expect(5, 5, 0);
}

TEST_F(DurableBooks, ASkipDoesNotGiveUpWhatIsDoneAhead) {
  kit.subscribe({});
  kit.spool("s1").record(
      CursorRecord{"orders", {1, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 3, {{6, 7}}}}});
  kit.start();
  kit.durable.on_tail(kit.now, trades, 11);
  kit.settle(1s);
  expect(5, 0, 5);
  kit.durable.on_skip(kit.now, 1, "orders", trades, 9);
  kit.settle(1s);
  EXPECT_EQ(kit.books().lost_for(LossReason::Gone), 4u);  // 4, 5, 8, 9
  expect(5, 0, 1);
}

TEST_F(DurableBooks, AResetGivesUpWhatWasNotOffered) {
  kit.subscribe({});
  kit.spool("s1");
  kit.start();
  kit.live(frame_in(trades, 3, 2));
  kit.settle(1s);
  expect(4, 0, 4);
  kit.durable.on_reset(kit.now, 1, "orders", StartNow{});
  kit.settle(1s);
  EXPECT_EQ(kit.books().balance(), 0);
  EXPECT_EQ(kit.books().delivered, 0u);
}

TEST_F(DurableBooks, ALetterIsDeadWhoeverWritesIt) {
  kit.subscribe({});
  kit.spool("s1").store(frame_in(trades, 1, 3));
  kit.handler = [](const DurableKit::Handled& one) {
    return one.sequence == 2 ? Outcome::reject("no") : Outcome::done();
  };
  kit.start();
  kit.settle(1s);
  expect(3, 2, 0);
  EXPECT_EQ(kit.books().dead, 1u);
}

}  // namespace
}  // namespace legion::test
