#include <legion/base/block_pool.hpp>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace legion {
namespace {

TEST(FreeStack, GivesTheLastOneFirstAndHoldsItsBound) {
  FreeStack<int> stack(2);
  int value = 0;
  EXPECT_FALSE(stack.try_pop(value));
  EXPECT_TRUE(stack.try_push(1));
  EXPECT_TRUE(stack.try_push(2));
  EXPECT_FALSE(stack.try_push(3));
  EXPECT_TRUE(stack.try_pop(value));
  EXPECT_EQ(value, 2);
  EXPECT_TRUE(stack.try_pop(value));
  EXPECT_EQ(value, 1);
}

TEST(FreeStack, KeepsNothingOnceClosed) {
  FreeStack<int> stack(2);
  stack.try_push(1);
  EXPECT_EQ(stack.close().count, 1u);
  EXPECT_FALSE(stack.try_push(2));
  int value = 0;
  EXPECT_FALSE(stack.try_pop(value));
}

TEST(FreeStack, LosesNothingAndGivesNothingTwiceAmongThreads) {
  constexpr int values_each = 20'000;
  constexpr int threads_max = 3;
  FreeStack<int> stack(16);
  std::atomic<int> left_over{0};
  std::vector<std::vector<int>> popped(threads_max);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < threads_max; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < values_each; ++i) {
        if (!stack.try_push(1 + thread * values_each + i)) ++left_over;
        int value = 0;
        if (stack.try_pop(value)) popped[thread].push_back(value);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<int> seen;
  std::size_t count = stack.close().count + static_cast<std::size_t>(left_over);
  for (const auto& values : popped) {
    count += values.size();
    seen.insert(values.begin(), values.end());
  }
  EXPECT_EQ(count, std::size_t{values_each} * threads_max);
  EXPECT_EQ(seen.size(), popped[0].size() + popped[1].size() + popped[2].size());
}

// Under the address sanitizer these also show that the pool lives as long as it has to, and no longer.
TEST(BlockPool, OutlivesItsOwnerUntilTheLastBlockIsBack) {
  using Pool = BlockPool<64>;
  Pool::Owner pool(new Pool(4));
  std::vector<std::shared_ptr<int>> values;
  for (int i = 0; i < 10; ++i) values.push_back(std::allocate_shared<int>(PoolAllocator<int, Pool>(*pool), i));
  values.resize(3);
  pool.reset();
  EXPECT_EQ(*values[2], 2);
}

TEST(BlockPool, UsesTheLastBlockAgain) {
  using Pool = BlockPool<64>;
  const Pool::Owner pool(new Pool(4));
  void* const first = pool->take();
  void* const second = pool->take();
  EXPECT_NE(first, second);
  pool->give_back(second);
  pool->give_back(first);
  EXPECT_EQ(pool->take(), first);
  EXPECT_EQ(pool->take(), second);
  pool->give_back(first);
  pool->give_back(second);
}

TEST(BlockPool, IsSharedByThreadsWhileItsOwnerGoes) {
  using Pool = BlockPool<64>;
  for (int round = 0; round < 200; ++round) {
    Pool::Owner pool(new Pool(4));
    auto theirs = std::allocate_shared<int>(PoolAllocator<int, Pool>(*pool), round);
    std::thread other([value = std::move(theirs)]() mutable { value.reset(); });
    pool.reset();
    other.join();
  }
}

}  // namespace
}  // namespace legion
