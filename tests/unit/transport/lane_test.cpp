#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

using LaneTest = TransportTest;

TEST_F(LaneTest, DeliversOnlyWhatWasSubscribedTo) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("trade."));
  ASSERT_TRUE(hears_of(*sender, "trade."));

  EXPECT_EQ(sender->send(bytes("signal.a")), PublishOutcome::Sent);
  EXPECT_EQ(sender->send(bytes("trade.approved")), PublishOutcome::Sent);

  EXPECT_EQ(next_frame(*receiver), "trade.approved");
  EXPECT_FALSE(receiver->recv());
}

TEST_F(LaneTest, ReportsTheLastUnsubscribe) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(hears_of(*sender, "a"));

  ASSERT_TRUE(receiver->unsubscribe("a"));

  std::string removed;
  EXPECT_TRUE(eventually([&] {
    sender->recv_subscriptions(
        [&](SubscriptionChange change, std::string_view topic) {
          if (change == SubscriptionChange::Removed) removed = topic;
        },
        100);
    return removed == "a";
  }));
  EXPECT_FALSE(receiver->is_subscribed("a"));
}

TEST_F(LaneTest, ConnectingTwiceDoesNotDeliverTwice) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(hears_of(*sender, "a"));

  sender->send(bytes("a1"));
  sender->send(bytes("a2"));

  EXPECT_EQ(next_frame(*receiver), "a1");
  EXPECT_EQ(next_frame(*receiver), "a2");
  EXPECT_FALSE(receiver->recv());
}

TEST_F(LaneTest, ASlowPeerLosesEventsAndNobodyElseDoes) {
  constexpr int sent = 20000;
  std::string at;
  auto sender = publisher(at, 3, {.high_water_mark = 100, .kernel_buffer_bytes = 64 * 1024});
  auto healthy = subscriber(3);
  ASSERT_TRUE(healthy->connect(at));
  ASSERT_TRUE(healthy->subscribe("a"));
  ASSERT_TRUE(hears_of(*sender, "a"));
  RawSocket stalled(*context, ZMQ_SUB);
  stalled.set(ZMQ_RCVHWM, 10);
  stalled.set(ZMQ_RCVBUF, 4096);
  stalled.subscribe("a~stalled");
  stalled.subscribe("a");
  stalled.connect(at);
  ASSERT_TRUE(hears_of(*sender, "a~stalled"));

  const std::string body = "a" + std::string(1024, 'x');
  int received = 0;
  for (int i = 0; i < sent; ++i) {
    ASSERT_NE(sender->send(bytes(body)), PublishOutcome::Closed);
    while (healthy->recv()) ++received;
    // Holds the sender back for the healthy peer only: its queue is as short as the stalled one's.
    if (i % 50 == 49) {
      ASSERT_TRUE(eventually([&] {
        while (healthy->recv()) ++received;
        return received == i + 1;
      })) << received
          << " of " << i + 1;
    }
  }

  EXPECT_EQ(received, sent);
  EXPECT_GE(sender->counters().slow_peer, 1u);
  EXPECT_EQ(sender->counters().sent, static_cast<std::uint64_t>(sent));
}

TEST_F(LaneTest, RefusesATopicThatWouldCorruptTheConnection) {
  auto receiver = subscriber();
  EXPECT_TRUE(receiver->subscribe(std::string(limits::topic_bytes_max, 'a')));
  const auto refused = receiver->subscribe(std::string(limits::topic_bytes_max + 1, 'a'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::TooBig);
}

TEST_F(LaneTest, TheLongestTopicSurvivesAReconnect) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  SupervisedLinks links(*receiver);
  const std::string longest(limits::topic_bytes_max, 'a');
  links.connect(at);
  ASSERT_TRUE(receiver->subscribe(longest));
  ASSERT_TRUE(links.come_up());
  ASSERT_TRUE(hears_of(*sender, longest));

  sender.reset();
  sender = publisher_at(at);
  ASSERT_TRUE(links.come_up());

  EXPECT_TRUE(hears_of(*sender, longest));
  EXPECT_EQ(links.supervisor().redials(), 0u);
}

TEST_F(LaneTest, SaysThatAnAddressIsInUse) {
  std::string at;
  auto first = publisher(at);
  auto second = LanePublisher::create(*context, 0).value();

  const auto bound = second->bind(at);

  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, ErrorCode::AddressInUse);
  EXPECT_NE(bound.error().message.find(at), std::string::npos);
}

TEST_F(LaneTest, SaysThatAnAddressIsNone) {
  auto sender = LanePublisher::create(*context, 0).value();
  const auto bound = sender->bind("tcp://nonsense");
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, ErrorCode::InvalidArgument) << bound.error().message;
}

TEST_F(LaneTest, WorksOverIpv6Loopback) {
  auto sender = LanePublisher::create(*context, 0).value();
  std::string at;
  ASSERT_TRUE(eventually([&] {
    const auto port = find_free_ports("::1", 1);
    if (!port) return false;
    auto bound = sender->bind("tcp://[::1]:" + std::to_string(*port));
    if (bound) at = *bound;
    return bound.has_value();
  }));
  auto receiver = subscriber(0);
  SupervisedLinks links(*receiver);
  links.connect(at);
  ASSERT_TRUE(receiver->subscribe("a"));

  EXPECT_TRUE(links.come_up());
  ASSERT_TRUE(hears_of(*sender, "a"));
  sender->send(bytes("a6"));
  EXPECT_EQ(next_frame(*receiver), "a6");
}

TEST_F(LaneTest, AWildcardListenerServesIpv4) {
  auto sender = LanePublisher::create(*context, 0).value();
  std::uint16_t port = 0;
  ASSERT_TRUE(eventually([&] {
    port = find_free_ports("*", 1).value();
    return sender->bind("tcp://*:" + std::to_string(port)).has_value();
  }));
  auto receiver = subscriber(0);
  ASSERT_TRUE(receiver->connect(uri(port)));
  ASSERT_TRUE(receiver->subscribe("a"));
  EXPECT_TRUE(hears_of(*sender, "a"));
}

TEST_F(LaneTest, DiscardsMessagesOfSeveralPartsFromAPeer) {
  RawSocket peer(*context, ZMQ_PUB);
  const std::string at = uri(free_port());
  peer.bind(at);
  auto receiver = subscriber();
  SupervisedLinks links(*receiver);
  links.connect(at);
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(links.come_up());

  std::string got;
  EXPECT_TRUE(eventually([&] {
    peer.send("a1", ZMQ_SNDMORE);
    peer.send("a2");
    peer.send("a3");
    if (auto frame = receiver->recv()) got = frame->text();
    return !got.empty();
  }));

  EXPECT_EQ(got, "a3");
  EXPECT_GE(receiver->discarded(), 1u);
}

TEST_F(LaneTest, DiscardsUserMessagesFromUpstream) {
  std::string at;
  auto sender = publisher(at);
  RawSocket peer(*context, ZMQ_XSUB);
  peer.connect(at);
  peer.send("hello");
  peer.send("many", ZMQ_SNDMORE);
  peer.send("\x01smuggled");
  peer.send("\x01real");

  std::vector<std::string> reported;
  ASSERT_TRUE(eventually([&] {
    sender->recv_subscriptions([&](SubscriptionChange, std::string_view topic) { reported.emplace_back(topic); }, 100);
    return !reported.empty();
  }));

  EXPECT_EQ(reported, std::vector<std::string>{"real"});
  EXPECT_EQ(sender->counters().discarded_upstream, 3u);
  sender->send(bytes("smuggled"));
  sender->send(bytes("real"));
  std::vector<std::string> got;
  EXPECT_TRUE(eventually([&] { return !(got = peer.receive()).empty(); }));
  EXPECT_EQ(got, std::vector<std::string>{"real"});
}

TEST_F(LaneTest, CutsOffAPeerWithUpstreamFramesAboveOneKibibyte) {
  std::string at;
  auto sender = publisher(at);
  RawSocket peer(*context, ZMQ_XSUB);
  peer.connect(at);
  peer.send("\x01" + std::string(2000, 'a'));

  bool cut = false;
  bool reported = false;
  EXPECT_TRUE(eventually([&] {
    sender->recv_subscriptions([&](SubscriptionChange, std::string_view) { reported = true; }, 100);
    sender->drain_monitor([&](const MonitorEvent& event) { cut |= event.kind == MonitorEventKind::Disconnected; });
    return cut;
  }));
  EXPECT_FALSE(reported);
}

TEST_F(LaneTest, SaysClosedAfterTheContextWasShutDown) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(hears_of(*sender, "a"));
  auto poller = Poller::create().value();
  poller->add(receiver->pollables());

  context->shutdown();

  EXPECT_EQ(sender->send(bytes("a")), PublishOutcome::Closed);
  EXPECT_FALSE(receiver->recv());
  EXPECT_FALSE(receiver->subscribe("b"));
  EXPECT_EQ(poller->wait(10s), PollOutcome::Closed);
}

}  // namespace
}  // namespace legion::transport::test
