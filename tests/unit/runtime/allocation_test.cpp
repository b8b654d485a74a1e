// The hot path allocates nothing per event: operator new of this whole program is counted.
#include <atomic>

#include <gtest/gtest.h>

#include <legion/core/egress.hpp>
#include <legion/core/ledger.hpp>
#include <legion/event/frame_pool.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/dispatch_pool.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/transport/wake_fd.hpp>

#include "support/allocations.hpp"
#include "support/poll.hpp"

namespace legion {
namespace {

/// Reads a field of every event. Can be held, so that how much piles up does not depend on the scheduler.
class Counter final : public Agent {
 public:
  void hold() { held_.store(true); }
  void go_on() {
    held_.store(false);
    held_.notify_all();
  }
  Answers answers() const override { return Answers::AtOnce; }
  void start(AgentServices&) override {}
  std::optional<Outcome> deliver(const Delivery& delivery) override {
    held_.wait(true);
    bytes_.fetch_add(delivery.event->data.size(), std::memory_order_relaxed);
    handled_.fetch_add(1, std::memory_order_release);
    return Outcome::done();
  }
  void stop(Duration) override {}
  std::uint64_t handled() const { return handled_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> held_{false};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> handled_{0};
};

/// Everything between publish() and the handler except ZeroMQ: the queue of a publishing node, its numbering, the
/// receiver's frames, books, dispatcher and workers.
class HotPath : public testing::Test {
 protected:
  HotPath() {
    AgentSpec spec;
    spec.name = "counter";
    for (LaneSpec& lane : spec.lanes) lane.capacity = 10000;
    const AgentId agent = pool_.add_agent(spec, &counter_);
    route_ = {pool_.add_subscription(agent, {*Filter::parse("market."), Priority::Normal}), 0};
    ledger_.add_subscription(*Filter::parse("market."));
    pool_.start();
    MsgpackWriter data;
    data.map(2);
    data.str("price");
    data.float64(67'012.5);
    data.str("note");
    data.str(std::string(100, 'x'));
    event_.type = "market.data_received";
    event_.data = data.take();
  }
  ~HotPath() override { pool_.stop(); }

  /// Publishes `count` events, lets the loop take them all and waits until the last one was handled.
  void pass(int count) {
    counter_.hold();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(intake_.publish(event_, "feed", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, WallTime{1}));
    }
    ASSERT_EQ(intake_.take(Priority::Normal, 100'000, frames_, asked_), static_cast<std::size_t>(count));
    const Now now = read_clocks();
    for (UnnumberedFrame& sent : frames_) {
      ASSERT_NE(egress_.number(now, sent), 0u);
      Bytes received = memory_.take_buffer();
      received.assign(sent.bytes.begin(), sent.bytes.end());
      intake_.recycle(Priority::Normal, std::move(sent.bytes));
      const auto frame = Frame::decode(std::move(received), &memory_);
      ASSERT_TRUE(frame.has_value());
      const FrameVerdict verdict = ledger_.on_frame(now, (*frame)->header());
      ASSERT_EQ(verdict.routes->size(), 1u);
      pool_.offer(now, *frame, verdict.skip, verdict.stream, {&route_, 1});
    }
    frames_.clear();
    counter_.go_on();
    published_ += static_cast<std::uint64_t>(count);
    ASSERT_TRUE(test::eventually([this] { return counter_.handled() == published_ && pool_.drained(); }));
  }

  transport::WakeFd wake_ = *transport::WakeFd::create();
  Intake intake_{"far", PolicyTable{}, {8192, 8192, 8192, 8192}, 64 << 20, [this] { wake_.wake(); }};
  Egress egress_{{"far", 7}, {}};
  FramePool memory_;
  Ledger ledger_{"here", Origin{"here", 1}, 1};
  Counter counter_;
  DispatchPool pool_{2, 1};
  Route route_;
  Event event_;
  std::vector<UnnumberedFrame> frames_;
  std::vector<Asked> asked_;
  std::uint64_t published_ = 0;
};

TEST_F(HotPath, OneEventAtATimeAllocatesNothing) {
  for (int i = 0; i < 300; ++i) pass(1);
  if (!test::allocations_are_counted) GTEST_SKIP();
  const std::uint64_t before = test::allocations();
  for (int i = 0; i < 1000; ++i) pass(1);
  EXPECT_EQ(test::allocations() - before, 0u) << "allocations for 1000 events that came alone";
}

TEST_F(HotPath, EventsInLargeFramesAllocateNothing) {
  for (int i = 0; i < 50; ++i) pass(2000);
  if (!test::allocations_are_counted) GTEST_SKIP();
  const std::uint64_t before = test::allocations();
  for (int i = 0; i < 50; ++i) pass(2000);
  EXPECT_EQ(test::allocations() - before, 0u) << "allocations for 100000 events in large frames";
}

TEST_F(HotPath, TheCounterCounts) {
  if (!test::allocations_are_counted) GTEST_SKIP();
  const std::uint64_t before = test::allocations();
  const auto something = std::make_unique<std::uint64_t>(before);
  EXPECT_EQ(test::allocations() - *something, 1u);
}

}  // namespace
}  // namespace legion
