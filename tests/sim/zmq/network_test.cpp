// What befalls the simulated network, as the transport layer sees it. What real ZeroMQ can show too is in
// tests/sim/conformance.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <legion/transport/lane_publisher.hpp>
#include <legion/transport/lane_subscriber.hpp>
#include <legion/transport/zap_server.hpp>

#include "kernel/kernel.hpp"
#include "zmq/network.hpp"

namespace legion::sim {
namespace {

using namespace legion::transport;  // NOLINT

constexpr const char* a = "10.0.0.1";
constexpr const char* b = "10.0.0.2";
constexpr const char* at = "tcp://10.0.0.1:7400";

struct Zmq {
  Zmq() : context(transport::Context::create().value()), zap(ZapServer::start(*context).value()) {}
  std::unique_ptr<transport::Context> context;
  std::unique_ptr<ZapServer> zap;
};

/// A publisher on host a that sends a number every 10 ms, and a subscriber on host b.
class NetworkTest : public testing::Test {
 protected:
  NetworkTest() {
    kernel.reset(11);
    network.reset();
  }

  void publish(std::size_t bytes = 16, Duration interval = 10ms) {
    publisher = kernel.spawn("publisher", [this, bytes, interval] {
      network.place(*kernel.current(), a);
      Zmq zmq;
      auto sender = LanePublisher::create(*zmq.context, 2).value();
      if (!sender->bind(at)) return;
      while (true) {
        sender->recv_subscriptions([&](SubscriptionChange, std::string_view) {}, 1000);
        sender->drain_monitor([&](const MonitorEvent& event) { publisher_events.push_back(event.kind); });
        std::string text = std::to_string(sent++);
        text.insert(0, "a" + std::string(8 - text.size(), '0'));
        text.resize(std::max(text.size(), bytes), ' ');
        sender->send(as_bytes_view(text));
        slow = sender->counters().slow_peer;
        kernel.sleep(interval);
      }
    });
  }
  void subscribe() {
    subscriber = kernel.spawn("subscriber", [this] {
      network.place(*kernel.current(), b);
      Zmq zmq;
      auto receiver = LaneSubscriber::create(*zmq.context, 2).value();
      if (!receiver->connect(at) || !receiver->subscribe("a")) return;
      while (true) {
        receiver->drain_monitor([&](const MonitorEvent& event) { events.push_back(event.kind); });
        while (auto frame = receiver->recv()) got.push_back(std::stoi(std::string(frame->text().substr(1, 8))));
        heard_at = got.empty() ? SteadyTime{} : kernel.now();
        kernel.sleep(5ms);
      }
    });
  }
  void run(Duration how_long) { kernel.run_until(kernel.now() + how_long); }
  std::size_t count(const std::vector<MonitorEventKind>& in, MonitorEventKind kind) const {
    return static_cast<std::size_t>(std::ranges::count(in, kind));
  }
  /// Everything that was got is in order, once, and nothing is missing in between.
  bool has_no_gap() const {
    for (std::size_t i = 1; i < got.size(); ++i) {
      if (got[i] != got[i - 1] + 1) return false;
    }
    return true;
  }
  bool in_order() const { return std::ranges::is_sorted(got) && std::ranges::adjacent_find(got) == got.end(); }
  void block_both() {
    network.block(a, b);
    network.block(b, a);
  }
  void unblock_both() {
    network.unblock(a, b);
    network.unblock(b, a);
  }

  Kernel& kernel = Kernel::get();
  Network& network = Network::get();
  std::shared_ptr<Process> publisher, subscriber;
  std::vector<MonitorEventKind> events, publisher_events;
  std::vector<int> got;
  int sent = 0;
  std::uint64_t slow = 0;
  SteadyTime heard_at{};
};

TEST_F(NetworkTest, DelayIsOnTopOfEverything) {
  network.set_all_links({.delay = 2s, .jitter = Duration{0}});
  publish();
  subscribe();
  run(11s);  // SYN, answer, three times there and back of the handshake, subscription
  EXPECT_TRUE(got.empty());
  run(20s);
  ASSERT_FALSE(got.empty());
  EXPECT_TRUE(has_no_gap());
  EXPECT_LE(got.back(), sent - 199);
  EXPECT_GE(got.back(), sent - 205);
}

TEST_F(NetworkTest, AShortPartitionLosesNothing) {
  publish();
  subscribe();
  run(2s);
  block_both();
  run(500ms);
  const std::size_t before = got.size();
  run(8s);
  EXPECT_EQ(got.size(), before);
  unblock_both();
  run(20s);
  EXPECT_TRUE(has_no_gap());
  EXPECT_GE(got.back(), sent - 5);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 0u);
}

TEST_F(NetworkTest, TheSenderNoticesALongPartitionByItsUserTimeoutAndTheReceiverByKeepAlive) {
  publish();
  subscribe();
  run(2s);
  block_both();
  run(14s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 0u);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 0u);
  run(2s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 1u);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 1u);
  EXPECT_EQ(network.figures().timeouts, 2u);
  run(30s);
  EXPECT_GE(count(events, MonitorEventKind::Closed), 3u) << "attempts find no answer";
  EXPECT_EQ(count(events, MonitorEventKind::Connected), 1u);
  unblock_both();
  run(10s);
  EXPECT_EQ(count(events, MonitorEventKind::Connected), 2u);
  EXPECT_TRUE(in_order());
  EXPECT_FALSE(has_no_gap());
  EXPECT_GE(got.back(), sent - 5);
}

TEST_F(NetworkTest, OneWayItDeliversAWindowAndEndsAllTheSame) {
  publish(4096);
  subscribe();
  run(2s);
  const std::size_t before = got.size();
  network.block(b, a);  // acknowledgements do not come back
  run(5s);
  EXPECT_GT(got.size(), before + 5);
  EXPECT_LT(got.size(), before + 40);
  run(20s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 1u);
  network.unblock(b, a);
  run(20s);
  EXPECT_GE(got.back(), sent - 5);
  EXPECT_TRUE(in_order());
}

TEST_F(NetworkTest, ClogMovesNothingAndLosesNothing) {
  publish();
  subscribe();
  run(2s);
  network.clog(a, b, 5s);
  run(10ms);
  const std::size_t before = got.size();
  run(4900ms);
  EXPECT_EQ(got.size(), before);
  run(200ms);
  EXPECT_GE(got.back(), sent - 5);
  EXPECT_TRUE(has_no_gap());
}

TEST_F(NetworkTest, CapacityIsSharedAndFillsQueues) {
  network.set_link(a, b, {.delay = 1ms, .jitter = Duration{0}, .bytes_per_second = 50'000});
  publish(10'000);  // a megabyte a second
  subscribe();
  run(61s);
  EXPECT_NEAR(static_cast<double>(got.size()), 300, 15);
  EXPECT_TRUE(has_no_gap());
  std::uint64_t kernels = 0;
  std::size_t waiting = 0;
  for (const Held& held : network.held()) {
    kernels += held.kernel_bytes;
    waiting += held.to_send;
  }
  EXPECT_GT(kernels, network.settings().kernel_buffer_bytes / 2);
  EXPECT_LE(kernels, network.settings().kernel_buffer_bytes + 20'000);
  EXPECT_GT(waiting, 100u);
  EXPECT_LE(waiting, 2048u);
}

TEST_F(NetworkTest, ResetIsSeenByBothAndDialledAgain) {
  publish();
  subscribe();
  run(2s);
  network.reset_connections(a, b);
  run(2s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 1u);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 1u);
  EXPECT_EQ(count(events, MonitorEventKind::HandshakeSucceeded), 2u);
  EXPECT_TRUE(in_order());
  EXPECT_GE(got.back(), sent - 5);
}

TEST_F(NetworkTest, WhoIsRefusedHearsItAtOnce) {
  network.refuse(b, a);
  publish();
  subscribe();
  run(1s);
  EXPECT_GE(count(events, MonitorEventKind::Closed), 1u);
  EXPECT_EQ(count(events, MonitorEventKind::Connected), 0u);
  network.admit(b, a);
  run(5s);
  EXPECT_EQ(count(events, MonitorEventKind::Connected), 1u);
}

TEST_F(NetworkTest, NobodyAnswersWhereNobodyIs) {
  subscribe();
  run(10s);
  EXPECT_GE(count(events, MonitorEventKind::Closed), 2u);
  EXPECT_LE(count(events, MonitorEventKind::Closed), 4u) << "every attempt takes its three seconds";
  EXPECT_EQ(network.figures().refused, 0u);
}

TEST_F(NetworkTest, AHostWithoutPowerIsNoticedLateAndItsNextLifeAtOnce) {
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

TEST_F(NetworkTest, ARebootedHostAnswersWithAReset) {
  publish();
  subscribe();
  run(2s);
  network.power_off(a);
  kernel.kill(*publisher);
  run(3s);
  network.power_on(a);
  sent = 1'000'000;
  publish();
  run(9s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 0u) << "nothing was sent that way, no probe was due";
  run(4s);
  EXPECT_EQ(count(events, MonitorEventKind::Disconnected), 1u);
  EXPECT_GE(got.back(), sent - 5);
}

TEST_F(NetworkTest, APausedReaderIsCutOffOnceItsKernelIsFullForLong) {
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

TEST_F(NetworkTest, APausedReaderReadsOnWhereItWas) {
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

TEST_F(NetworkTest, AQueueThatIsFullDropsAndSaysSo) {
  publish(1000, 100us);
  subscribe();
  run(2s);
  kernel.pause(*subscriber);
  run(5s);
  EXPECT_GE(slow, 1u);
  EXPECT_GT(network.figures().dropped_full, 1000u);
}

TEST_F(NetworkTest, AKilledProcessLeavesNothingInTheNetwork) {
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

TEST_F(NetworkTest, ASeedSaysEverything) {
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

}  // namespace
}  // namespace legion::sim
