#include <gtest/gtest.h>

#include <legion/core/books.hpp>

namespace legion::test {

TEST(Books, BalanceIsZeroWhenEveryEventHasOneEntry) {
  Books books;
  books.published = 16;
  books.delivered = 1;
  books.filtered = {.where = 1, .stopped = 1, .duplicate = 1, .limited = 1};
  books.expired = 2;
  books.dead = 1;
  for (const LossReason reason : all_loss_reasons) ++books.lost_for(reason);
  books.pending = 2;
  EXPECT_EQ(books.balance(), 0);
}

TEST(Books, BalanceTellsMissingFromDouble) {
  Books books;
  books.published = 2;
  books.delivered = 1;
  EXPECT_EQ(books.balance(), 1);
  books.dead = 2;
  EXPECT_EQ(books.balance(), -1);
}

TEST(Books, AddUp) {
  Books a;
  a.published = 3;
  a.filtered.where = 1;
  a.lost_for(LossReason::Link) = 2;
  Books sum = a;
  sum += a;
  EXPECT_EQ(sum.published, 6u);
  EXPECT_EQ(sum.filtered.where, 2u);
  EXPECT_EQ(sum.lost_for(LossReason::Link), 4u);
  EXPECT_EQ(sum.balance(), 0);
}

TEST(Books, LossReasonsHaveNames) {
  EXPECT_EQ(to_string(LossReason::Link), "link");
  EXPECT_EQ(to_string(LossReason::OriginDied), "origin_died");
  EXPECT_EQ(to_string(LossReason::Overflow), "overflow");
  EXPECT_EQ(to_string(LossReason::GateOverflow), "gate_overflow");
  EXPECT_EQ(to_string(LossReason::Shutdown), "shutdown");
  EXPECT_EQ(to_string(LossReason::Gone), "gone");
}

}  // namespace legion::test
