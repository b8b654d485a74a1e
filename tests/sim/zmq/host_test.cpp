// What befalls hosts and processes of the simulated network, as the transport layer sees it. What real ZeroMQ can show
// too is in tests/sim/conformance.
#include <set>
#include <string>

#include "network_fixture.hpp"

namespace legion::sim::test {
namespace {

using HostTest = NetworkTest;

TEST_F(HostTest, AHostWithoutPowerIsNoticedLateAndItsNextLifeAtOnce) {
  publish();
  subscribe();
  run(2s);
  network.power_off(a);
  kernel.kill(*publisher);
  run(12s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 0u);
  run(4s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 1u);
  network.power_on(a);
  sent = 1'000'000;
  publish();
  run(5s);
  EXPECT_GE(got.back(), sent - 5);
}

TEST_F(HostTest, ARebootedHostAnswersWithAReset) {
  publish();
  subscribe();
  run(2s);
  network.power_off(a);
  kernel.kill(*publisher);
  run(3s);
  network.power_on(a);
  sent = 1'000'000;
  publish();
  run(6s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 0u) << "nothing was sent that way, no probe was due";
  run(3s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 1u);
  EXPECT_GE(got.back(), sent - 5);
}

TEST_F(HostTest, APausedReaderIsCutOffOnceItsKernelIsFullForLong) {
  publish(20'000);
  subscribe();
  run(2s);
  kernel.pause(*subscriber);
  run(10s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 0u);
  run(20s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 1u);
  kernel.resume(*subscriber);
  run(5s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 1u);
  EXPECT_TRUE(in_order());
  EXPECT_GE(got.back(), sent - 5);
}

TEST_F(HostTest, APausedReaderReadsOnWhereItWas) {
  publish();
  subscribe();
  run(2s);
  kernel.pause(*subscriber);
  run(10s);
  kernel.resume(*subscriber);
  run(1s);
  EXPECT_TRUE(has_no_gap());
  EXPECT_GE(got.back(), sent - 5);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 0u);
}

TEST_F(HostTest, AQueueThatIsFullDropsAndSaysSo) {
  publish(1000, 100us);
  subscribe();
  run(2s);
  kernel.pause(*subscriber);
  run(5s);
  EXPECT_GE(slow, 1u);
  EXPECT_GT(network.figures().dropped_full, 1000u);
}

TEST_F(HostTest, WhoeverWatchesIsToldWhatWasDroppedAtAFullQueueAndWhatWasNot) {
  std::uint64_t dropped = 0;
  std::set<std::string> queued;
  network.watch_published([&](const std::string& to, std::string_view text, Published what) {
    EXPECT_EQ(to, b);
    if (what == Published::DroppedFull) {
      ++dropped;
    } else {
      queued.emplace(text.substr(0, 9));
    }
  });
  publish(1000, 100us);
  subscribe();
  run(2s);
  EXPECT_EQ(dropped, 0u);
  kernel.pause(*subscriber);
  run(5s);
  EXPECT_GT(dropped, 1000u);
  EXPECT_EQ(dropped, network.figures().dropped_full);
  kernel.resume(*subscriber);
  run(2s);
  for (const int number : got) {
    const std::string text = std::to_string(number);
    EXPECT_TRUE(queued.contains("a" + std::string(8 - text.size(), '0') + text)) << number;
  }
}

TEST_F(HostTest, AKilledProcessLeavesNothingInTheNetwork) {
  publish();
  subscribe();
  run(2s);
  EXPECT_FALSE(network.held().empty());
  kernel.kill(*subscriber);
  run(2s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 1u);
  EXPECT_TRUE(network.held().empty());
  subscribe();
  run(2s);
  EXPECT_GE(got.back(), sent - 5);
}

TEST_F(HostTest, ASeedSaysEverything) {
  std::vector<std::uint64_t> digests;
  std::vector<std::vector<int>> all;
  for (const std::uint64_t seed : {3u, 3u, 4u}) {
    kernel.reset(seed);
    network.reset();
    got.clear();
    sent = 0;
    publish();
    subscribe();
    run(3s);
    network.reset_connections(a, b);
    run(2s);
    kernel.kill(*publisher);
    run(1s);
    digests.push_back(kernel.digest());
    all.push_back(got);
  }
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_EQ(all[0], all[1]);
  EXPECT_NE(digests[0], digests[2]);
}

TEST_F(HostTest, OfWhatAKilledProcessSentLastSomeArrives) {
  std::size_t least = 1000, most = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    kernel.reset(seed);
    network.reset();
    network.set_all_links({.delay = 300ms, .jitter = Duration{0}});
    got.clear();
    sent = 0;
    publish();
    subscribe();
    run(5s);
    kernel.kill(*publisher);
    const std::size_t before = got.size();
    run(2s);
    EXPECT_TRUE(has_no_gap());
    least = std::min(least, got.size() - before);
    most = std::max(most, got.size() - before);
  }
  EXPECT_LT(least, 10u);
  EXPECT_GT(most, 20u);
  EXPECT_LE(most, 31u);
}

}  // namespace
}  // namespace legion::sim::test
