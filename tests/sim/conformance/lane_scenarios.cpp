// XPUB and XSUB: what is delivered, in what order, and which subscriptions are reported.
#include "kit.hpp"

namespace legion::conformance {
namespace {

SCENARIO(Lanes, DeliverWhatWasSubscribedTo) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto receiver = zmq.subscriber_of(at, {"trade.", "end"});
  reports_until(*sender, "+end");

  for (const auto* frame : {"signal.a", "trade.approved", "trade", "tradex", "trade.rejected", "end"}) {
    EXPECT_EQ(sender->send(bytes(frame)), PublishOutcome::Sent);
  }

  EXPECT_EQ(frames_until(*receiver, "end"), (Texts{"trade.approved", "trade.rejected", "end"}));
}

SCENARIO(Lanes, DeliverOnceWhatMatchesTwice) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto receiver = zmq.subscriber_of(at, {"a", "ab", "abc", "end"});
  reports_until(*sender, "+end");
  sender->send(bytes("abcd"));
  sender->send(bytes("end"));
  EXPECT_EQ(frames_until(*receiver, "end"), (Texts{"abcd", "end"}));

  ASSERT_TRUE(receiver->unsubscribe("a"));
  ASSERT_TRUE(receiver->unsubscribe("abc"));
  reports_until(*sender, "-abc");
  for (const auto* frame : {"abcd", "ax", "abx", "end"}) sender->send(bytes(frame));

  EXPECT_EQ(frames_until(*receiver, "end"), (Texts{"abcd", "abx", "end"}));
}

SCENARIO(Lanes, KeepTheOrderAndLoseNothingBelowTheMarks) {
  constexpr int count = 20000;
  constexpr int at_once = 499;  // what was read may be known at the sender only up to the last half of the mark
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at, 2, {.high_water_mark = 1000});
  auto receiver = zmq.subscriber_of(at, {"a"});
  reports_until(*sender, "+a");

  Texts sent, got;
  for (int i = 0; i < count; ++i) {
    sent.push_back("a" + std::to_string(i) + std::string(static_cast<std::size_t>(i % 100), 'x'));
    ASSERT_EQ(sender->send(bytes(sent.back())), PublishOutcome::Sent) << i;
    if (i % at_once != at_once - 1 && i + 1 < count) continue;
    ASSERT_TRUE(world::until([&] {
      take_frames(*receiver, got);
      return got.size() == sent.size();
    })) << got.size();
  }
  EXPECT_EQ(got, sent);
}

SCENARIO(Lanes, ReportTheFirstSubscriberAndTheLastUnsubscribe) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto first_one = zmq.subscriber_of(at, {"a", "1"});
  EXPECT_EQ(reports_until(*sender, "+1").size(), 2u);

  auto second_one = zmq.subscriber_of(at, {"a", "2"});
  EXPECT_EQ(reports_until(*sender, "+2"), Texts{"+2"});
  ASSERT_TRUE(first_one->unsubscribe("a"));
  ASSERT_TRUE(first_one->unsubscribe("1"));
  EXPECT_EQ(reports_until(*sender, "-1"), Texts{"-1"});
  ASSERT_TRUE(second_one->unsubscribe("a"));
  EXPECT_EQ(reports_until(*sender, "-a"), Texts{"-a"});
}

SCENARIO(Lanes, ReportWhatAPeerThatGoesTakesWithIt) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto stays = zmq.subscriber_of(at, {"both", "stays"});
  reports_until(*sender, "+stays");
  auto goes = zmq.subscriber_of(at, {"both", "b", "a", "c"});
  reports_until(*sender, "+c");

  goes.reset();

  auto reports = reports_until(*sender, "-c");
  std::sort(reports.begin(), reports.end());
  EXPECT_EQ(reports, (Texts{"-a", "-b", "-c"}));
}

SCENARIO(Lanes, PassBySubscribersThatComeLater) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto early = zmq.subscriber_of(at, {"a"});
  reports_until(*sender, "+a");
  sender->send(bytes("a before"));
  EXPECT_EQ(frames_until(*early, "a before").size(), 1u);

  auto late = zmq.subscriber_of(at, {"a", "late"});
  reports_until(*sender, "+late");
  sender->send(bytes("a after"));

  EXPECT_EQ(frames_until(*late, "a after"), Texts{"a after"});
}

SCENARIO(Lanes, TakeTurnsAmongPublishers) {
  constexpr int flood = 2000;
  Zmq zmq;
  const Texts at{world::free_address(), world::free_address()};
  auto loud = zmq.publisher(at[0], 2, {.high_water_mark = flood});
  auto quiet = zmq.publisher(at[1]);
  auto receiver = zmq.subscriber_of(at[0], {"a"}, {.high_water_mark = flood});
  ASSERT_TRUE(receiver->connect(at[1]));
  reports_until(*loud, "+a");
  reports_until(*quiet, "+a");

  for (int i = 0; i < flood; ++i) loud->send(bytes("a loud"));
  quiet->send(bytes("a quiet"));

  int loud_ones = 0;
  EXPECT_TRUE(world::until([&] {
    auto frame = receiver->recv();  // one a look: the quiet one arrives meanwhile
    if (!frame) return false;
    loud_ones += frame->text() == "a loud" ? 1 : 0;
    return frame->text() == "a quiet";
  }));
  EXPECT_LT(loud_ones, flood);
}

SCENARIO(Lanes, DiscardWhatIsNoSubscription) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto peer = Socket::open(*zmq.context, SocketType::Xsub).value();
  ASSERT_TRUE(peer.connect(at));
  peer.send(bytes("hello"));
  peer.send(bytes("many"), More::Yes);
  peer.send(bytes("\1smuggled"));
  peer.send(bytes("\1real"));

  EXPECT_EQ(reports_until(*sender, "+real"), Texts{"+real"});
  EXPECT_EQ(sender->counters().discarded_upstream, 3u);
  sender->send(bytes("smuggled"));
  sender->send(bytes("real"));
  std::string got;
  More more = More::No;
  EXPECT_TRUE(world::until([&] {
    auto frame = peer.receive(more);
    if (frame) got = frame->text();
    return frame.has_value();
  }));
  EXPECT_EQ(got, "real");
}

SCENARIO(Lanes, ReportAnUnsubscribeNobodySubscribedTo) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto peer = Socket::open(*zmq.context, SocketType::Xsub).value();
  ASSERT_TRUE(peer.connect(at));
  peer.send(bytes("\1a"));
  peer.send(bytes("\1a"));  // counted at the XSUB, of no account at the XPUB
  peer.send(bytes(std::string_view("\0a", 2)));
  peer.send(bytes(std::string_view("\0b", 2)));  // never leaves the XSUB
  peer.send(bytes("\1end"));
  EXPECT_EQ(reports_until(*sender, "+end"), (Texts{"+a", "+end"}));

  peer.send(bytes(std::string_view("\0a", 2)));
  EXPECT_EQ(reports_until(*sender, "-a"), Texts{"-a"});
}

SCENARIO(Lanes, SubscribeBeforeThereIsAnybody) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"b", "a"});
  ASSERT_TRUE(receiver->subscribe("end"));
  events_until(*receiver, MonitorEventKind::ConnectRetried);

  auto sender = zmq.publisher(at);

  EXPECT_EQ(reports_until(*sender, "+end"), (Texts{"+b", "+a", "+end"}));
}

}  // namespace
}  // namespace legion::conformance
