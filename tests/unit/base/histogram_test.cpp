#include <legion/base/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <legion/base/rng.hpp>

namespace legion {
namespace {

TEST(LatencyHistogram, IsEmptyAtFirst) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.percentile(99), Duration::zero());
  EXPECT_EQ(histogram.max(), Duration::zero());
  EXPECT_EQ(histogram.mean(), Duration::zero());
}

TEST(LatencyHistogram, EveryMagnitudeComesBackWithinFourPercent) {
  for (std::int64_t ns = 1; ns < 3'600'000'000'000; ns = ns * 21 / 20 + 1) {
    LatencyHistogram histogram;
    histogram.record(Duration{ns});
    histogram.record(Duration{ns * 2});  // so that the maximum does not cap the answer
    const double error = std::abs(static_cast<double>(histogram.percentile(50).count() - ns)) / static_cast<double>(ns);
    ASSERT_LE(error, 0.04) << ns;
  }
}

TEST(LatencyHistogram, AgreesWithSortedValues) {
  Rng rng(11);
  LatencyHistogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(static_cast<std::int64_t>(std::exp(rng.uniform() * 20)));
    histogram.record(Duration{values.back()});
  }
  std::ranges::sort(values);
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 10'000)) - 1;
    const auto exact = static_cast<double>(values[rank]);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(percent).count()), exact, exact * 0.04 + 1) << percent;
  }
  EXPECT_EQ(histogram.percentile(100).count(), values.back());
  EXPECT_EQ(histogram.max().count(), values.back());
}

TEST(LatencyHistogram, MergingAddsUp) {
  LatencyHistogram a;
  LatencyHistogram b;
  for (int i = 0; i < 100; ++i) a.record(1us);
  for (int i = 0; i < 100; ++i) b.record(1ms);
  a.merge(b);
  EXPECT_EQ(a.count(), 200u);
  EXPECT_EQ(a.max(), 1ms);
  EXPECT_NEAR(static_cast<double>(a.percentile(50).count()), 1e3, 4e1);
  EXPECT_NEAR(static_cast<double>(a.percentile(51).count()), 1e6, 4e4);
  EXPECT_EQ(a.mean().count(), 500'500);
}

TEST(LatencyHistogram, TakesWhatIsOutOfRange) {
  LatencyHistogram histogram;
  histogram.record(Duration{-5});
  histogram.record(Duration::max());
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.percentile(1), Duration::zero());
  EXPECT_EQ(histogram.max(), Duration::max());
}

}  // namespace
}  // namespace legion
