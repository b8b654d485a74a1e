// A warm node allocates nothing for a frame: a program of its own, because operator new counts in it.
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <legion/event/frame.hpp>
#include <legion/event/types.hpp>
#include <legion/event/where.hpp>

#include "samples.hpp"
#include "support/allocations.hpp"

namespace legion {
namespace {

using namespace samples;

constexpr int warm_up_rounds = 3;
constexpr int rounds = 100;

// What `step` allocates once it is warm.
std::size_t allocations_of(const std::function<void()>& step) {
  for (int i = 0; i < warm_up_rounds; ++i) step();
  const std::size_t before = test::allocations();
  for (int i = 0; i < rounds; ++i) step();
  return test::allocations() - before;
}

// Another thread that looks at the events of what it is handed and lets go of it. One frame at a time.
class Worker {
 public:
  ~Worker() {
    is_over_ = true;
    hand_over(nullptr);
    thread_.join();
  }
  void hand_over(FramePtr frame) {
    frame_ = std::move(frame);
    has_frame_ = true;
    has_frame_.notify_one();
    has_frame_.wait(true);
  }
  std::size_t seen() const { return seen_; }

 private:
  void run() {
    while (!is_over_) {
      has_frame_.wait(false);
      if (frame_) seen_ += frame_->events().size();
      frame_.reset();
      has_frame_ = false;
      has_frame_.notify_one();
    }
  }

  FramePtr frame_;
  std::size_t seen_ = 0;
  std::atomic<bool> has_frame_{false};
  std::atomic<bool> is_over_{false};
  std::thread thread_{[this] { run(); }};
};

TEST(Allocation, TheCounterCounts) {
  if (!test::allocations_are_counted) GTEST_SKIP();
  // A copy of the bytes, the frame, its views.
  EXPECT_EQ(allocations_of([bytes = frame_of({plain_event()})] { (void)(*Frame::decode(Bytes(bytes)))->events(); }),
            3u * rounds);
}

TEST(Allocation, AskingAConditionCostsNone) {
  if (!test::allocations_are_counted) GTEST_SKIP();
  const auto where = Where::parse("data.price in (1.5, 2) and key prefix 'k' and not data.legs[0].name matches '*a?' "
                                  "and ext.shop contains 'x' or type != data.price or time > expires_at");
  ASSERT_TRUE(where.has_value());
  const WhereField field = WhereField::parse("data.price").value();
  const FramePtr frame = Frame::decode(frame_of({full_event()})).value();
  const EventView& event = frame->events()[0];
  EXPECT_EQ(allocations_of([&] {
              (void)where->matches(event);
              (void)field.hash_of(event);
            }),
            0u);
}

TEST(Allocation, AReceivedFrameCostsNoneOnceThePoolIsWarm) {
  const Bytes bytes = frame_of(std::vector<Event>(100, full_event()));
  const auto owner = std::make_shared<const int>(0);
  FramePool pool;
  Worker worker;
  const std::size_t count = allocations_of([&] {
    auto frame = Frame::decode(BytesView(bytes), owner, &pool);
    worker.hand_over(std::move(*frame));
  });
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(worker.seen(), 100u * (warm_up_rounds + rounds));
}

TEST(Allocation, AnEventPointerCostsNone) {
  const Bytes bytes = frame_of({plain_event(), full_event()});
  FramePool pool;
  EXPECT_EQ(allocations_of([&] {
              EventPtr event;
              {
                const auto frame = Frame::decode(BytesView(bytes), nullptr, &pool);
                event = Frame::event_ptr(*frame, 1);
              }
              ASSERT_EQ(event->key, "BTC");
            }),
            0u);
}

TEST(Allocation, AnOwnFrameInABufferOfThePoolCostsNone) {
  const Bytes bytes = frame_of(std::vector<Event>(100, full_event()));
  FramePool pool;
  Worker worker;
  EXPECT_EQ(allocations_of([&] {
              Bytes buffer = pool.take_buffer();
              buffer.insert(buffer.end(), bytes.begin(), bytes.end());
              worker.hand_over(std::move(*Frame::decode(std::move(buffer), &pool)));
            }),
            0u);
}

TEST(Allocation, ABufferOfAFrameThatIsRefusedComesBack) {
  FramePool pool;
  pool.give_back(Bytes(100, 'a'));
  EXPECT_FALSE(Frame::decode(pool.take_buffer(), &pool));
  EXPECT_GE(pool.take_buffer().capacity(), 100u);
}

TEST(Allocation, AppendingAnEventCostsNoneWhereThereIsRoom) {
  const Event event = full_event();
  Bytes out;
  EXPECT_EQ(allocations_of([&] {
              out.clear();
              for (int i = 0; i < 10; ++i) ASSERT_TRUE(append_event(event, {}, 1000, out));
            }),
            0u);
}

TEST(Allocation, ATypedEventOfNumbersAndShortStringsCostsNone) {
  const MarketDataReceived trade{.symbol = "XBT/USDT", .price = 1.5, .volume = 2, .side = "buy", .exchange = {}};
  const Event event = make_event(trade);
  Bytes again;
  EXPECT_EQ(allocations_of([&] {
              MarketDataReceived read;
              ASSERT_TRUE(decode_data(event.schema_version, event.data, read));
              ASSERT_EQ(fit_of(schema_of<MarketDataReceived>(), 1, event.data), SchemaFit::Fits);
              encode_data(read, again);
              ASSERT_EQ(again, event.data);
            }),
            0u);
}

TEST(Allocation, FramesMayOutliveThePool) {
  std::vector<FramePtr> frames;
  {
    FramePool pool;
    for (int i = 0; i < 10; ++i) frames.push_back(*Frame::decode(frame_of({full_event()}), &pool));
    frames.resize(5);
    ASSERT_EQ(frames.front()->events().size(), 1u);
  }
  for (const FramePtr& frame : frames) EXPECT_TRUE(same(frame->events()[0].to_event(), full_event()));
}

TEST(Allocation, ThePoolKeepsNoMoreThanItSays) {
  FramePool pool;
  for (std::uint32_t i = 0; i < 2 * FramePool::buffers_kept_max; ++i) pool.give_back(Bytes(100));
  pool.give_back(Bytes(FramePool::buffer_bytes_max + 1));
  std::uint32_t kept = 0;
  while (pool.take_buffer().capacity() > 0) ++kept;
  EXPECT_EQ(kept, FramePool::buffers_kept_max);
}

TEST(Allocation, TheEventsOfAnEnormousFrameAreNotKept) {
  if (!test::allocations_are_counted) GTEST_SKIP();
  const Bytes large = frame_of(std::vector<Event>(FramePool::vector_events_max + 1, plain_event()));
  FramePool pool;
  EXPECT_EQ(allocations_of([&] { (void)(*Frame::decode(BytesView(large), nullptr, &pool))->events(); }),
            std::size_t{rounds});
}

// Under the thread sanitizer this also shows that the decoded events are handed over properly.
TEST(LazyFrame, ThreadsThatAskTogetherSeeTheSameEvents) {
  const Bytes bytes = frame_of(std::vector<Event>(200, full_event()));
  FramePool pool;
  for (int round = 0; round < 50; ++round) {
    const FramePtr frame = *Frame::decode(BytesView(bytes), nullptr, &pool);
    std::atomic<bool> begin{false};
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, frame] {
        begin.wait(false);
        const auto& events = frame->events();
        if (&events == &frame->events() && events.size() == 200 && events[199].sequence == 241 &&
            events[199].defect.empty() && events[199].key == "BTC") {
          ++right;
        }
      });
    }
    begin = true;
    begin.notify_all();
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(right, 4);
  }
}

}  // namespace
}  // namespace legion
