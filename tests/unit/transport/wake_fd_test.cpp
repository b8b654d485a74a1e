#include <legion/transport/wake_fd.hpp>

#include <atomic>
#include <thread>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

TEST(WakeFd, DoesNotDisturbWhoIsAwake) {
  auto wake = WakeFd::create().value();
  auto poller = Poller::create().value();
  poller->add(wake.pollable());
  wake.wake();
  EXPECT_EQ(poller->wait(0ms), PollOutcome::TimedOut);
}

TEST(WakeFd, EndsASleepOnce) {
  auto wake = WakeFd::create().value();
  auto poller = Poller::create().value();
  const std::size_t token = poller->add(wake.pollable());
  wake.announce_sleep();
  wake.wake();
  wake.wake();
  EXPECT_EQ(poller->wait(10s), PollOutcome::Ready);
  EXPECT_TRUE(poller->ready(token));
  wake.awake();
  wake.drain();
  EXPECT_EQ(poller->wait(0ms), PollOutcome::TimedOut);
}

TEST(WakeFd, WakesASleepThatWasNotAnnouncedOnlyWhenAskedTo) {
  auto wake = WakeFd::create().value();
  auto poller = Poller::create().value();
  const std::size_t token = poller->add(wake.pollable());
  wake.wake();
  EXPECT_EQ(poller->wait(0ms), PollOutcome::TimedOut);
  wake.wake_always();
  EXPECT_EQ(poller->wait(10s), PollOutcome::Ready);
  EXPECT_TRUE(poller->ready(token));
  // Not drained: it stays readable, so nothing that was told of is forgotten.
  EXPECT_EQ(poller->wait(10s), PollOutcome::Ready);
  EXPECT_TRUE(poller->ready(token));
}

TEST(WakeFd, NeverLosesAWakeUp) {
  constexpr int rounds = 20000;
  auto wake = WakeFd::create().value();
  std::atomic<int> produced{0};
  std::thread producer([&] {
    for (int i = 0; i < rounds; ++i) {
      produced.store(i + 1, std::memory_order_release);
      wake.wake();
    }
  });
  auto poller = Poller::create().value();
  const std::size_t token = poller->add(wake.pollable());
  int seen = 0;
  while (seen < rounds) {
    wake.announce_sleep();
    const bool work = produced.load(std::memory_order_acquire) != seen;
    // Without a lost wake-up nobody ever waits this long.
    const PollOutcome outcome = poller->wait(work ? 0s : 20s);
    wake.awake();
    if (poller->ready(token)) wake.drain();
    if (!work) {
      ASSERT_EQ(outcome, PollOutcome::Ready);
    }
    seen = produced.load(std::memory_order_acquire);
  }
  producer.join();
}

}  // namespace
}  // namespace legion::transport::test
