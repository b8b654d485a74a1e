#include <gtest/gtest.h>

#include <legion/runtime/subscriptions.hpp>

namespace legion {
namespace {

using Change = PrefixCounts::Change;

TEST(PrefixCounts, SendsAPrefixOnceHoweverOftenItIsAdded) {
  PrefixCounts counts;
  EXPECT_EQ(counts.add("trade."), Change::Begins);
  EXPECT_EQ(counts.add("trade."), Change::None);
  EXPECT_EQ(counts.add("order."), Change::Begins);
  EXPECT_EQ(counts.size(), 2u);
}

TEST(PrefixCounts, EndsAPrefixWithItsLastRemovalOnly) {
  PrefixCounts counts;
  counts.add("trade.");
  counts.add("trade.");
  EXPECT_EQ(counts.remove("trade."), Change::None);
  EXPECT_EQ(counts.remove("trade."), Change::Ends);
  EXPECT_EQ(counts.size(), 0u);
}

TEST(PrefixCounts, IgnoresTheRemovalOfWhatIsNotThere) {
  PrefixCounts counts;
  EXPECT_EQ(counts.remove("trade."), Change::None);
  EXPECT_EQ(counts.add("trade."), Change::Begins);
}

}  // namespace
}  // namespace legion
