// Where ZeroMQ loses messages, and where it does not: full queues, ends of connections, lingering.
#include <set>

#include "kit.hpp"

namespace legion::conformance {
namespace {

constexpr LanePublisherOptions small_sender{.high_water_mark = 100, .kernel_buffer_bytes = 64 * 1024};
constexpr LaneSubscriberOptions small_receiver{.high_water_mark = 10, .kernel_buffer_bytes = 4096};

std::string kilobyte(int number) {
  std::string digits = std::to_string(number);
  std::string text = "a" + std::string(8 - digits.size(), '0') + digits;
  text.resize(1024, ' ');
  return text;
}

SCENARIO(Losses, ASlowPeerLosesAndNobodyElseDoes) {
  constexpr int sent = 5000;
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at, 2, small_sender);
  auto healthy = zmq.subscriber_of(at, {"a"});
  reports_until(*sender, "+a");
  auto stalled = zmq.subscriber_of(at, {"a", "stalled"}, small_receiver);
  reports_until(*sender, "+stalled");

  Texts wanted, got;
  for (int i = 0; i < sent; ++i) {
    wanted.push_back(kilobyte(i));
    ASSERT_NE(sender->send(bytes(wanted.back())), PublishOutcome::Closed);
    // The healthy peer's queue is as short as the stalled one's.
    if (i % 49 != 48 && i + 1 < sent) continue;
    ASSERT_TRUE(world::until([&] {
      take_frames(*healthy, got);
      return got.size() == wanted.size();
    })) << got.size();
  }
  EXPECT_EQ(got, wanted);
  EXPECT_GE(sender->counters().slow_peer, 1u);

  // What it got is the beginning, without a gap; once it reads, new ones come again.
  Texts late;
  int number = sent;
  ASSERT_TRUE(world::until([&] {
    take_frames(*stalled, late);
    sender->send(bytes(kilobyte(number++)));
    return !late.empty() && late.back() > kilobyte(sent);
  }));
  EXPECT_GT(late.size(), 100u);  // more than its sender's mark: kernels and the receiver hold some
  EXPECT_LT(late.size(), static_cast<std::size_t>(sent));
  EXPECT_EQ(first(late, 100), first(wanted, 100));
}

SCENARIO(Losses, TheTransitionToFullIsToldOnce) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at, 2, small_sender);
  auto stalled = zmq.subscriber_of(at, {"a"}, small_receiver);
  reports_until(*sender, "+a");
  int number = 0;
  ASSERT_TRUE(world::until([&] {
    for (int i = 0; i < 50; ++i) sender->send(bytes(kilobyte(number++)));
    return sender->counters().slow_peer > 0;
  }));

  // Nobody reads, so it stays full. Kernel buffers may have let one more batch pass.
  const auto told = sender->counters().slow_peer;
  for (int i = 0; i < 1000; ++i) sender->send(bytes(kilobyte(number++)));
  EXPECT_LE(sender->counters().slow_peer, told + 2);
}

SCENARIO(Losses, OfAFullQueueOtherTopicsKnowNothing) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at, 2, small_sender);
  auto stalled = zmq.subscriber_of(at, {"a"}, small_receiver);
  reports_until(*sender, "+a");
  auto other = zmq.subscriber_of(at, {"b"});
  reports_until(*sender, "+b");
  ASSERT_TRUE(world::until([&] {
    for (int i = 0; i < 50; ++i) sender->send(bytes(kilobyte(i)));
    return sender->counters().slow_peer > 0;
  }));

  EXPECT_EQ(sender->send(bytes("b")), PublishOutcome::Sent);
  EXPECT_EQ(frames_until(*other, "b"), Texts{"b"});
}

SCENARIO(Losses, NoneWhenASenderThatLingersGoes) {
  constexpr int count = 900;
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");

  Texts sent;
  for (int i = 0; i < count; ++i) {
    sent.push_back("a" + std::to_string(i));
    sender->send(bytes(sent.back()));
  }
  sender.reset();

  EXPECT_EQ(frames_until(*receiver, sent.back()), sent);
}

SCENARIO(Losses, WhatArrivedBeforeADisconnectStaysReadable) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  for (const auto* frame : {"a1", "a2", "a3"}) sender->send(bytes(frame));
  sender.reset();
  events_until(*receiver, MonitorEventKind::Disconnected);

  Texts got;
  take_frames(*receiver, got);
  EXPECT_EQ(got, (Texts{"a1", "a2", "a3"}));
}

SCENARIO(Losses, WhatIsUnreadAtAZmqDisconnect) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  for (const auto* frame : {"a1", "a2", "a3"}) sender->send(bytes(frame));
  ASSERT_TRUE(world::until([&] { return receiver->recv().has_value(); }));

  ASSERT_TRUE(receiver->disconnect(at));
  EXPECT_FALSE(receiver->recv());

  ASSERT_TRUE(receiver->connect(at));
  Texts got;
  ASSERT_TRUE(world::until([&] {
    Texts reports;
    take_reports(*sender, reports);
    sender->send(bytes("a4"));
    take_frames(*receiver, got);
    return !got.empty();
  }));
  EXPECT_EQ(std::set(got.begin(), got.end()), std::set<std::string>{"a4"});
}

SCENARIO(Losses, WhatIsSentWhileNobodyIsThere) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  receiver.reset();
  reports_until(*sender, "-a");
  EXPECT_EQ(sender->send(bytes("a lost")), PublishOutcome::Sent);

  receiver = zmq.subscriber_of(at, {"a"});
  reports_until(*sender, "+a");
  sender->send(bytes("a kept"));
  EXPECT_EQ(frames_until(*receiver, "a kept"), Texts{"a kept"});
}

SCENARIO(Losses, AFrameAboveTheLimitEndsTheLinkForGood) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"}, {.message_bytes_max = 1000});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  sender->send(bytes("a before"));
  sender->send(bytes("a" + std::string(2000, 'x')));
  sender->send(bytes("a after"));

  std::vector<MonitorEvent> events = events_until(*receiver, MonitorEventKind::Disconnected);
  EXPECT_EQ(reports_until(*sender, "-a"), Texts{"-a"});
  Texts got;
  take_frames(*receiver, got);
  EXPECT_EQ(got, Texts{"a before"});
  // ZeroMQ does not try again by itself: somebody who connects later is up, and this one is not.
  auto later = zmq.subscriber_of(at, {"later"}, {.redial_max = 200ms});
  reports_until(*sender, "+later");
  events.clear();
  take_events(*receiver, events);
  EXPECT_EQ(names(events), Texts{});

  ASSERT_TRUE(receiver->disconnect(at));
  ASSERT_TRUE(receiver->connect(at));
  EXPECT_EQ(reports_until(*sender, "+a"), Texts{"+a"});
}

SCENARIO(Losses, APeerWithALargeSubscriptionIsCutOff) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto peer = Socket::open(*zmq.context, SocketType::Xsub).value();
  ASSERT_TRUE(peer.connect(at));
  peer.send(bytes("\1" + std::string(2000, 'a')));

  const auto events = events_until(*sender, MonitorEventKind::Disconnected);
  Texts reports;
  take_reports(*sender, reports);
  EXPECT_EQ(reports, Texts{});
}

}  // namespace
}  // namespace legion::conformance
