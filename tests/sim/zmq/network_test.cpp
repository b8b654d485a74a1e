// What befalls links of the simulated network, as the transport layer sees it. What real ZeroMQ can show too is in
// tests/sim/conformance.
#include <zmq.h>

#include <optional>

#include <legion/transport/control_server.hpp>

#include "network_fixture.hpp"

namespace legion::sim::test {
namespace {

TEST_F(NetworkTest, DelayIsOnTopOfEverything) {
  network.set_all_links({.delay = 500ms, .jitter = Duration{0}});
  publish();
  subscribe();
  run(3900ms);  // SYN and its answer, the handshake twice there and back, the subscription, a frame: eight times
  EXPECT_TRUE(got.empty());
  run(10s);
  ASSERT_FALSE(got.empty());
  EXPECT_TRUE(has_no_gap());
  EXPECT_LE(got.back(), sent - 50);
  EXPECT_GE(got.back(), sent - 55);
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

TEST_F(NetworkTest, AClogCanEndBeforeItsTime) {
  publish();
  subscribe();
  run(2s);
  network.clog(a, b, 5s);
  run(1s);
  network.unclog(a, b);
  run(200ms);
  EXPECT_GE(got.back(), sent - 5);
  EXPECT_TRUE(has_no_gap());
}

TEST_F(NetworkTest, WhatWaitedForASlowLinkDoesNotWaitOnAFastOne) {
  publish(1'000);
  subscribe();
  run(2s);
  network.set_link(a, b, {.delay = 1ms, .jitter = Duration{0}, .bytes_per_second = 2'000});
  run(5s);
  EXPECT_LT(got.back(), sent - 100);
  network.set_link(a, b, {.delay = 1ms, .jitter = Duration{0}, .bytes_per_second = 0});
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

TEST_F(NetworkTest, WhoIsHeardButDoesNotAcknowledgeIsGivenUp) {
  talks_back = true;
  publish();
  subscribe();
  run(2s);
  network.block(a, b);
  run(14s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 0u);
  run(2s);
  EXPECT_EQ(count(publisher_events, MonitorEventKind::Disconnected), 1u);
}

TEST_F(NetworkTest, WhatIsOnTheWireWhenItIsCutComesLater) {
  network.set_all_links({.delay = 300ms, .jitter = Duration{0}});
  publish();
  subscribe();
  run(5s);
  const std::size_t before = got.size();
  network.block(a, b);
  run(2s);
  EXPECT_EQ(got.size(), before);
  network.unblock(a, b);
  run(10s);
  EXPECT_TRUE(has_no_gap());
  EXPECT_GT(got.size(), before + 1000);
}

// Of 100 messages 50 have to be gone before there is room again, though the reader makes room for one at a time.
TEST_F(NetworkTest, AQueueThatWasFullTakesNothingUntilHalfOfItHasGone) {
  bool done = false;
  kernel.spawn("server and client", [&] {
    Zmq zmq;
    auto server = ControlServer::create(*zmq.context).value();
    const std::string here = server->bind("tcp://127.0.0.1:0").value();
    auto client = transport::Socket::open(*zmq.context, SocketType::Dealer).value();
    ASSERT_TRUE(client.set(ZMQ_RCVHWM, 1));
    ASSERT_TRUE(client.connect(here));
    client.send(as_bytes_view("ask"));
    std::optional<ControlRequest> request;
    while (!(request = server->recv())) kernel.sleep(1ms);
    const std::string large(100'000, 'x');
    const auto reply = [&] {
      server->recv();
      return server->reply(request->peer, as_bytes_view(large));
    };
    for (int tries = 0; tries < 1000; ++tries) {
      reply();
      kernel.sleep(1ms);
    }
    ASSERT_EQ(reply(), SendResult::Full);
    int taken = 0;
    for (More more = More::No; reply() == SendResult::Full && taken < 500; kernel.sleep(10ms)) {
      if (client.receive(more)) ++taken;
    }
    EXPECT_LE(taken, 100);
    int sent_then = 1;
    while (reply() == SendResult::Sent) ++sent_then;
    EXPECT_GE(sent_then, 50);
    done = true;
  });
  run(100s);
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace legion::sim::test
