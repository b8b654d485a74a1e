#include <legion/base/ring.hpp>

#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace legion {
namespace {

TEST(BoundedRing, GivesValuesBackInTheOrderTheyWerePushed) {
  BoundedRing<int> ring(8);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(ring.try_push(int{i}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ring.try_pop(), i);
  EXPECT_EQ(ring.try_pop(), std::nullopt);
}

TEST(BoundedRing, RefusesWhenFullAndLeavesTheValueWithTheCaller) {
  BoundedRing<std::unique_ptr<int>> ring(2);
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(1)));
  ASSERT_TRUE(ring.try_push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);

  EXPECT_FALSE(ring.try_push(std::move(third)));

  ASSERT_NE(third, nullptr);
  EXPECT_EQ(*third, 3);
  EXPECT_EQ(ring.size(), 2u);
}

TEST(BoundedRing, GoesRoundManyTimes) {
  BoundedRing<int> ring(4);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(ring.try_push(int{i}));
    ASSERT_TRUE(ring.try_push(int{-i}));
    EXPECT_EQ(ring.size(), 2u);
    EXPECT_EQ(ring.try_pop(), i);
    EXPECT_EQ(ring.try_pop(), -i);
    EXPECT_TRUE(ring.empty());
  }
}

TEST(BoundedRing, ReleasesWhatIsPoppedAtOnceAndTheRestAtItsEnd) {
  auto tracked = std::make_shared<int>(7);
  {
    BoundedRing<std::shared_ptr<int>> ring(4);
    ASSERT_TRUE(ring.try_push(std::shared_ptr<int>(tracked)));
    ASSERT_TRUE(ring.try_push(std::shared_ptr<int>(tracked)));
    EXPECT_EQ(tracked.use_count(), 3);
    ring.try_pop();
    EXPECT_EQ(tracked.use_count(), 2);
  }
  EXPECT_EQ(tracked.use_count(), 1);
}

TEST(BoundedRing, ManyProducersLoseNothingAndEachKeepsItsOrder) {
  constexpr int producers = 4;
  constexpr int each = 20'000;
  BoundedRing<std::pair<int, int>> ring(64);
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p) {
    threads.emplace_back([&ring, p] {
      for (int i = 0; i < each; ++i) {
        while (!ring.try_push(std::pair{p, i})) std::this_thread::yield();
      }
    });
  }

  std::vector<int> next(producers, 0);
  for (int received = 0; received < producers * each;) {
    const auto value = ring.try_pop();
    if (!value) {
      std::this_thread::yield();
      continue;
    }
    const auto [producer, number] = *value;
    ASSERT_EQ(number, next[static_cast<std::size_t>(producer)]++);
    ++received;
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.size(), 0u);
}

TEST(BoundedRingDeathTest, RefusesACapacityThatIsNoPowerOfTwo) {
  EXPECT_DEATH(BoundedRing<int>(3), "assertion failed");
  EXPECT_DEATH(BoundedRing<int>(0), "assertion failed");
}

}  // namespace
}  // namespace legion
