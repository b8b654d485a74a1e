// What monitors tell, reconnecting, and what is subscribed again then.
#include <zmq.h>

#include <legion/transport/control_client.hpp>
#include <legion/transport/control_server.hpp>

#include "kit.hpp"

namespace legion::conformance {
namespace {

constexpr int reconnect_base_ms = 200;  // reconnect_ms of lane_settings.hpp

SCENARIO(Links, TellBothEndsWhatHappens) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto receiver = zmq.subscriber_of(at, {"a"});
  reports_until(*sender, "+a");

  const auto dialled = events_until(*receiver, MonitorEventKind::HandshakeSucceeded);
  EXPECT_EQ(names(dialled), (Texts{"connect_delayed", "connected", "handshake_succeeded"}));
  EXPECT_EQ(dialled[0].value, EINPROGRESS);
  for (const MonitorEvent& event : dialled) EXPECT_EQ(event.endpoint, at);
  const auto accepted = events_until(*sender, MonitorEventKind::HandshakeSucceeded);
  EXPECT_EQ(names(accepted), (Texts{"accepted", "handshake_succeeded"}));
  for (const MonitorEvent& event : accepted) EXPECT_EQ(event.endpoint, at);

  ASSERT_TRUE(receiver->disconnect(at));

  std::vector<MonitorEvent> left;
  ASSERT_TRUE(world::until([&] {
    receiver->process_commands();  // its agreement is needed
    take_events(*sender, left);
    return !left.empty();
  }));
  EXPECT_EQ(names(left), Texts{"disconnected"});
  EXPECT_EQ(left[0].value, accepted[0].value) << "the descriptor of the connection";
  std::vector<MonitorEvent> own;
  take_events(*receiver, own);
  EXPECT_EQ(names(own), Texts{}) << "of one's own disconnect nothing is told";
}

SCENARIO(Links, EndADisconnectedOneOnlyOnceTheSocketIsTouched) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto receiver = zmq.subscriber_of(at, {"a"});
  reports_until(*sender, "+a");
  ASSERT_TRUE(receiver->disconnect(at));

  auto other = zmq.subscriber_of(at, {"b"});
  EXPECT_EQ(reports_until(*sender, "+b"), Texts{"+b"});
  other.reset();
  EXPECT_EQ(reports_until(*sender, "-b"), Texts{"-b"});

  Texts reports;
  EXPECT_TRUE(world::until([&] {
    receiver->process_commands();
    take_reports(*sender, reports);
    return !reports.empty();
  }));
  EXPECT_EQ(reports, Texts{"-a"});
}

SCENARIO(Links, TellEveryAttemptAtADeadPort) {
  constexpr int redial_max_ms = 1000;
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"}, {.redial_max = std::chrono::milliseconds(redial_max_ms)});
  std::vector<MonitorEvent> events;
  ASSERT_TRUE(world::until([&] {
    take_events(*receiver, events);
    return events.size() >= 12;
  }));

  const Texts attempt{"connect_delayed", "closed", "connect_retried"};
  int interval = reconnect_base_ms;
  for (std::size_t i = 0; i < 12; i += 3) {
    EXPECT_EQ(
        names({events.begin() + static_cast<std::ptrdiff_t>(i), events.begin() + static_cast<std::ptrdiff_t>(i) + 3}),
        attempt);
    const int told = events[i + 2].value;
    EXPECT_GE(told, interval);
    EXPECT_LT(told, interval + reconnect_base_ms);
    interval = std::min(2 * interval, redial_max_ms);
  }
}

SCENARIO(Links, DialAgainWhenThePeerGoesAndComes) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  auto events = events_until(*receiver, MonitorEventKind::HandshakeSucceeded);
  const int fd = std::find_if(events.begin(), events.end(), [](const MonitorEvent& event) {
                   return event.kind == MonitorEventKind::Connected;
                 })->value;

  sender.reset();
  events = events_until(*receiver, MonitorEventKind::Closed);
  EXPECT_EQ(first(names(events), 4), (Texts{"disconnected", "connect_retried", "connect_delayed", "closed"}));
  EXPECT_EQ(events[0].value, fd);
  EXPECT_GE(events[1].value, reconnect_base_ms);
  EXPECT_LT(events[1].value, 2 * reconnect_base_ms);

  sender = zmq.publisher(at);
  events = events_until(*receiver, MonitorEventKind::HandshakeSucceeded);
  EXPECT_EQ(names({events.end() - 3, events.end()}), (Texts{"connect_delayed", "connected", "handshake_succeeded"}));
}

SCENARIO(Links, SubscribeAgainInByteOrder) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"m", "~sync", "a", "z", "ab", "B"});
  ASSERT_TRUE(receiver->unsubscribe("z"));
  ASSERT_TRUE(receiver->subscribe("end"));
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+end");

  sender.reset();
  sender = zmq.publisher(at);

  Texts reports;
  EXPECT_TRUE(world::until([&] {
    receiver->process_commands();
    take_reports(*sender, reports);
    return reports.size() == 6;
  }));
  EXPECT_EQ(reports, (Texts{"+B", "+a", "+ab", "+end", "+m", "+~sync"}));
}

SCENARIO(Links, SubscribeAgainOnlyOnceTheSocketIsTouched) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto untouched = zmq.subscriber_of(at, {"a"}, {.redial_max = 200ms});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  events_until(*untouched, MonitorEventKind::HandshakeSucceeded);  // the monitor is another socket
  sender.reset();
  sender = zmq.publisher(at);
  events_until(*untouched, MonitorEventKind::HandshakeSucceeded);

  auto other = zmq.subscriber_of(at, {"b"});
  EXPECT_EQ(reports_until(*sender, "+b"), Texts{"+b"});

  untouched->process_commands();
  EXPECT_EQ(reports_until(*sender, "+a"), Texts{"+a"});
}

SCENARIO(Links, EndWhereAnotherTypeOfSocketListens) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto wrong = std::make_unique<Socket>(Socket::open(*zmq.context, SocketType::Router).value());
  ASSERT_TRUE(world::until([&] { return wrong->bind(at).has_value(); }));
  auto receiver = zmq.subscriber_of(at, {"a"}, {.redial_max = 200ms});

  // Nearly always our end sees the other's type, and does not dial again; but the other one may see ours first.
  const auto seen = names(events_until(*receiver, MonitorEventKind::Disconnected));
  const Texts for_good{"connect_delayed", "connected", "disconnected"};
  const Texts cut_off{"connect_delayed", "connected", "handshake_failed", "disconnected"};
  EXPECT_TRUE(seen == for_good || first(seen, 4) == cut_off) << ::testing::PrintToString(seen);
}

SCENARIO(Links, FindTheRightSocketOnceTheyAreToldToDialAgain) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto wrong = ControlServer::create(*zmq.context).value();
  ASSERT_TRUE(world::until([&] { return wrong->bind(at).has_value(); }));
  auto receiver = zmq.subscriber_of(at, {"a"}, {.redial_max = 200ms});

  // The handler of access is asked meanwhile: which end sees the other's type first, and cuts it off, is a race.
  events_until(*receiver, MonitorEventKind::Disconnected);
  const auto accepted = events_until(*wrong, MonitorEventKind::Disconnected);
  EXPECT_EQ(accepted.front().kind, MonitorEventKind::Accepted);

  wrong.reset();
  auto sender = zmq.publisher(at);
  ASSERT_TRUE(receiver->disconnect(at));
  ASSERT_TRUE(receiver->connect(at));
  EXPECT_EQ(reports_until(*sender, "+a"), Texts{"+a"});
}

SCENARIO(Links, ComeUpWithNobodyWhenTheHandlerOfAccessSaysNo) {
  Zmq zmq;
  auto strict = Context::create().value();
  auto zap = ZapServer::start(*strict, {.null_domains = {"another"}}).value();
  const std::string at = world::free_address();
  auto sender = LanePublisher::create(*strict, 2).value();
  ASSERT_TRUE(world::until([&] { return sender->bind(at).has_value(); }));
  auto receiver = zmq.subscriber_of(at, {"a"});

  const auto events = events_until(*sender, MonitorEventKind::HandshakeRefused);
  EXPECT_EQ(first(names(events), 2), (Texts{"accepted", "handshake_refused"}));
  EXPECT_EQ(events[1].value, 300);
  EXPECT_GE(zap->refused(), 1u);
  EXPECT_EQ(zap->admitted(), 0u);
  // The dialling end is cut off, or hears nothing until its time for handshakes is over; and tries again.
  std::vector<MonitorEvent> dialled = events_until(*receiver, MonitorEventKind::ConnectRetried);
  EXPECT_EQ(names({dialled.end() - 3, dialled.end()}), (Texts{"handshake_failed", "disconnected", "connect_retried"}));
}

SCENARIO(Links, SayThatAnAddressIsInUse) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto sender = zmq.publisher(at);
  auto second = LanePublisher::create(*zmq.context, 0).value();
  const auto bound = second->bind(at);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, ErrorCode::AddressInUse);
  for (const auto* nonsense : {"tcp://nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:x"}) {
    const auto refused = second->bind(nonsense);
    ASSERT_FALSE(refused) << nonsense;
    EXPECT_EQ(refused.error().code, ErrorCode::InvalidArgument) << nonsense;
  }
  sender.reset();
  EXPECT_TRUE(world::until([&] { return second->bind(at).has_value(); }));
}

SCENARIO(Links, ListenOnAPortOfTheSystemsChoice) {
  Zmq zmq;
  auto sender = LanePublisher::create(*zmq.context, 0).value();
  auto other = LanePublisher::create(*zmq.context, 1).value();
  const auto at = sender->bind("tcp://127.0.0.1:0");
  const auto elsewhere = other->bind("tcp://127.0.0.1:*");
  ASSERT_TRUE(at && elsewhere);
  EXPECT_NE(*at, *elsewhere);
  EXPECT_FALSE(at->ends_with(":0"));
  auto receiver = zmq.subscriber_of(*at, {"a"});
  EXPECT_EQ(reports_until(*sender, "+a"), Texts{"+a"});
}

}  // namespace
}  // namespace legion::conformance
