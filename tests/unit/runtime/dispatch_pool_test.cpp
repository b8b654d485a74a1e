#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

#include "support/poll.hpp"

#include <legion/event/frame.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/dispatch_pool.hpp>

namespace legion {
namespace {

/// Answers each delivery as the test says and lets it wait for a number of them.
class Recorder : public Agent {
 public:
  explicit Recorder(std::function<std::optional<Outcome>(const Delivery&)> answer, Answers answers = Answers::AtOnce)
      : answer_(std::move(answer)), answers_(answers) {}
  void start(AgentServices&) override {}
  void stop(Duration) override {}

  std::optional<Outcome> deliver(const Delivery& delivery) override {
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(delivery.event->sequence);
    }
    changed_.notify_all();
    return answer_(delivery);
  }
  Answers answers() const override { return answers_; }

  std::vector<std::uint64_t> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(60), [&] { return seen_.size() >= count; });
    return seen_;
  }

 private:
  std::function<std::optional<Outcome>(const Delivery&)> answer_;
  Answers answers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> seen_;
};

FramePtr frame_of(std::uint32_t count, Priority lane = Priority::Normal, std::optional<WallTime> expires_at = {}) {
  Event event;
  event.type = "test.tick";
  event.source = "alpha/desk";
  event.time = read_clocks().wall;
  event.expires_at = expires_at;
  FrameBuilder builder;
  builder.begin({"alpha", 1}, lane, event.type, 0, 1);
  for (std::uint32_t i = 0; i < count; ++i) builder.append(encode_event(event, 0, 1000)->bytes);
  return *Frame::decode(builder.finish());
}

void offer(DispatchPool& pool, const FramePtr& frame, SubscriptionId subscription) {
  const Route route{subscription, 0};
  const auto stream = static_cast<StreamKey>(lane_index(frame->header().lane));
  pool.offer(read_clocks(), frame, 0, stream, {&route, 1});
}

struct PoolTest : testing::Test {
  SubscriptionId add(Recorder& agent) {
    AgentSpec spec;
    spec.name = "recorder";
    spec.lanes[lane_index(Priority::Normal)].capacity = 100000;
    spec.retry.delay = 1ms;
    id = pool.add_agent(spec, &agent);
    return pool.add_subscription(id, {*Filter::parse("test."), Priority::Normal});
  }
  bool becomes_drained() { return test::eventually([this] { return pool.drained(); }); }
  DispatchPool pool{3, 1};
  AgentId id;
};

TEST_F(PoolTest, HandsOverInOrderWithSeveralWorkers) {
  Recorder agent([](const Delivery&) { return Outcome::done(); });
  const auto subscription = add(agent);
  pool.start();
  offer(pool, frame_of(5000), subscription);
  const auto seen = agent.wait_for(5000);
  EXPECT_EQ(seen.size(), 5000u);
  EXPECT_TRUE(becomes_drained());
  pool.stop();
  for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i + 1);
}

TEST_F(PoolTest, HandsOverInOrderToAnAgentThatAnswersLater) {
  Recorder agent([this](const Delivery& delivery) -> std::optional<Outcome> {
    pool.complete(delivery.task, Outcome::done());
    return std::nullopt;
  }, Agent::Answers::Later);
  const auto subscription = add(agent);
  pool.start();
  offer(pool, frame_of(5000), subscription);
  const auto seen = agent.wait_for(5000);
  EXPECT_TRUE(becomes_drained());
  pool.stop();
  for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i + 1);
}

TEST_F(PoolTest, WhatIsMoreUrgentComesBetweenTwoEventsOfARun) {
  // The urgent frame comes while the handler is at the third of forty events.
  SubscriptionId subscription;
  std::vector<Priority> lanes;
  Recorder agent([&](const Delivery& delivery) {
    lanes.push_back(delivery.event->lane);
    if (lanes.size() == 3) offer(pool, frame_of(1, Priority::Critical), subscription);
    return Outcome::done();
  });
  subscription = add(agent);
  pool.start();
  offer(pool, frame_of(40), subscription);
  agent.wait_for(41);
  EXPECT_TRUE(becomes_drained());
  pool.stop();
  ASSERT_EQ(lanes.size(), 41u);
  EXPECT_EQ(lanes[3], Priority::Critical);
  EXPECT_EQ(std::ranges::count(lanes, Priority::Critical), 1);
}

TEST(Pool, SlowAgentsThatAnswerAtOnceTakeTurns) {
  DispatchPool pool(1, 1);
  std::vector<char> order;
  const auto slow = [&order](char name) {
    return [&order, name](const Delivery&) {
      const SteadyTime end = read_steady_clock() + 2ms;
      while (read_steady_clock() < end) {
      }
      order.push_back(name);
      return Outcome::done();
    };
  };
  Recorder a(slow('a'));
  Recorder b(slow('b'));
  for (Recorder* agent : {&a, &b}) {
    AgentSpec spec;
    spec.name = agent == &a ? "a" : "b";
    const auto subscription = pool.add_subscription(pool.add_agent(spec, agent), {*Filter::parse("test."), Priority::Normal});
    offer(pool, frame_of(10), subscription);
  }
  pool.start();
  EXPECT_TRUE(test::eventually([&] { return pool.drained(); }));
  pool.stop();
  ASSERT_EQ(order.size(), 20u);
  for (std::size_t i = 1; i < order.size(); ++i) EXPECT_NE(order[i], order[i - 1]) << i;
}

TEST_F(PoolTest, AnEventThatExpiresDuringTheRunIsNotHandedOver) {
  // Fast handlers, which are timed several at once, and then one that outlasts what the others have left.
  const WallTime end = read_clocks().wall + 50ms;
  Recorder agent([&](const Delivery& delivery) {
    while (delivery.event->sequence == 40 && read_clocks().wall < end) {
    }
    return Outcome::done();
  });
  const auto subscription = add(agent);
  offer(pool, frame_of(60, Priority::Normal, end), subscription);
  pool.start();
  EXPECT_TRUE(becomes_drained());
  pool.stop();
  pool.inspect([&](const Dispatcher& dispatcher) {
    const Books books = dispatcher.books(subscription);
    EXPECT_EQ(books.delivered + books.expired, 60u);
    EXPECT_LE(books.delivered, 40u);
  });
}

TEST_F(PoolTest, AnOutcomeThatWasPromisedAndNotGivenIsAFailedAttempt) {
  Recorder agent([](const Delivery&) { return std::nullopt; });
  const auto subscription = add(agent);
  pool.start();
  offer(pool, frame_of(1), subscription);
  EXPECT_TRUE(becomes_drained());
  pool.stop();
  pool.inspect([&](const Dispatcher& dispatcher) { EXPECT_EQ(dispatcher.books(subscription).dead, 1u); });
  EXPECT_EQ(agent.wait_for(3).size(), 3u);
}

TEST_F(PoolTest, WakesForARetryThatNobodyElseReports) {
  Recorder agent([](const Delivery& delivery) {
    return delivery.attempt < 3 ? Outcome::retry("not yet") : Outcome::done();
  });
  const auto subscription = add(agent);
  pool.start();
  offer(pool, frame_of(1), subscription);
  EXPECT_EQ(agent.wait_for(3).size(), 3u);
  EXPECT_TRUE(becomes_drained());
  pool.stop();  // the workers know the agent, which goes with this scope
  pool.inspect([&](const Dispatcher& dispatcher) { EXPECT_EQ(dispatcher.books(subscription).delivered, 1u); });
}

TEST_F(PoolTest, CountsWhatIsStillHeldAtTheEndAsLost) {
  Recorder agent([](const Delivery&) { return Outcome::deferred(); });
  const auto subscription = add(agent);
  pool.start();
  offer(pool, frame_of(1), subscription);
  agent.wait_for(1);
  EXPECT_FALSE(pool.drained());
  pool.close();
  pool.stop();
  pool.inspect([&](const Dispatcher& dispatcher) {
    EXPECT_EQ(dispatcher.books(subscription).lost_for(LossReason::Shutdown), 1u);
  });
}

}  // namespace
}  // namespace legion
