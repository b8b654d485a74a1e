#include <legion/runtime/confirm_queue.hpp>

#include <gtest/gtest.h>

namespace legion {
namespace {

class ConfirmQueueTest : public testing::Test {
 protected:
  void wait(std::uint8_t spools, Position position, Bytes held = {}) {
    queue_.wait(spools, {.position = position, .type = "a.b", .first_sequence = position, .count = 3,
                         .held = std::move(held), .askers = {}});
  }
  std::vector<Position> durable(std::uint8_t spools, Position through) {
    std::vector<Position> released;
    queue_.on_durable(spools, through, [&](ConfirmQueue::Waiting& waiting) { released.push_back(waiting.position); });
    return released;
  }
  ConfirmQueue queue_;
};

TEST_F(ConfirmQueueTest, ReleasesInOrderUpToThePosition) {
  for (const Position position : {3, 4, 9}) wait(1, position);
  EXPECT_EQ(durable(1, 2), (std::vector<Position>{}));
  EXPECT_EQ(durable(1, 4), (std::vector<Position>{3, 4}));
  EXPECT_EQ(durable(1, 4), (std::vector<Position>{}));
  EXPECT_EQ(durable(1, 100), (std::vector<Position>{9}));
}

TEST_F(ConfirmQueueTest, WhatNeedsTwoSpoolsDoesNotGoWithOne) {
  wait(2, 1);
  wait(1, 2);
  EXPECT_EQ(durable(1, 5), (std::vector<Position>{2}));
  EXPECT_EQ(durable(3, 5), (std::vector<Position>{}));
  EXPECT_EQ(durable(2, 5), (std::vector<Position>{1}));
}

TEST_F(ConfirmQueueTest, CountsTheEventsThatAreHeld) {
  wait(1, 1, {1, 2, 3});
  wait(1, 2);
  EXPECT_EQ(queue_.held_events(), 3u);
  durable(1, 1);
  EXPECT_EQ(queue_.held_events(), 0u);
}

TEST_F(ConfirmQueueTest, GivesUpEverythingOnce) {
  wait(1, 1, {1});
  wait(2, 2);
  std::vector<Position> released;
  const auto note = [&](ConfirmQueue::Waiting& waiting) { released.push_back(waiting.position); };
  queue_.give_up(note);
  queue_.give_up(note);
  EXPECT_EQ(released, (std::vector<Position>{1, 2}));
  EXPECT_EQ(queue_.held_events(), 0u);
}

}  // namespace
}  // namespace legion
