#include <legion/transport/control_server.hpp>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

using AccessTest = TransportTest;

std::uint16_t port_of(const std::string& uri) {
  return static_cast<std::uint16_t>(std::stoi(uri.substr(uri.rfind(':') + 1)));
}

TEST_F(AccessTest, ForeignBytesGetNoEventAndDisturbNobody) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  SupervisedLinks links(*receiver);
  links.connect(at);
  ASSERT_TRUE(receiver->subscribe("secret"));
  ASSERT_TRUE(links.come_up());
  ASSERT_TRUE(hears_of(*sender, "secret"));
  auto control = ControlServer::create(*context).value();
  std::string control_at;
  ASSERT_TRUE(eventually([&] {
    auto bound = control->bind(uri(free_port()));
    if (bound) control_at = *bound;
    return bound.has_value();
  }));

  // ZMTP 1.0 to an XPUB would be: length 1, flags 0, then the subscription to everything.
  const std::string old_protocol("\x01\x00\x02\x00\x01", 5);
  const std::string greeting_then_noise = std::string("\xff\0\0\0\0\0\0\0\x01\x7f", 10) + std::string(200, '\x41');
  const std::vector<std::string> foreign = {"GET / HTTP/1.1\r\nHost: legion\r\n\r\n", old_protocol, greeting_then_noise,
                                            std::string(5000, '\x00'), std::string(5000, '\xff')};
  for (const std::string& port : {at, control_at}) {
    for (const std::string& text : foreign) {
      TcpConnection stranger(port_of(port));
      stranger.write(text);
      ASSERT_TRUE(eventually([&] {
        sender->recv_subscriptions(
            [](SubscriptionChange, std::string_view topic) { ADD_FAILURE() << "subscribed to " << topic; }, 100);
        sender->send(bytes("secret"));
        EXPECT_FALSE(control->recv());
        links.turn();
        while (receiver->recv()) {
        }
        return stranger.closed();
      })) << text.substr(0, 10);
      EXPECT_EQ(stranger.received().find("secret"), std::string::npos);
    }
  }

  EXPECT_EQ(links.downs, 0);
  sender->send(bytes("secret still"));
  EXPECT_TRUE(eventually([&] {
    auto frame = receiver->recv();
    return frame && frame->text() == "secret still";
  }));
}

TEST_F(AccessTest, WithoutAZapHandlerNobodyIsLetIn) {
  zap.reset();
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));

  bool refused = false;
  EXPECT_TRUE(eventually([&] {
    sender->recv_subscriptions([](SubscriptionChange, std::string_view) { ADD_FAILURE() << "let in"; }, 100);
    sender->drain_monitor([&](const MonitorEvent& event) {
      EXPECT_NE(event.kind, MonitorEventKind::HandshakeSucceeded);
      refused |= event.kind == MonitorEventKind::HandshakeFailed ||
                 event.kind == MonitorEventKind::HandshakeProtocolError ||
                 event.kind == MonitorEventKind::HandshakeRefused;
    });
    return refused;
  }));
}

TEST_F(AccessTest, APolicyWithoutTheDomainRefusesAndCounts) {
  zap.reset();
  // The address of the former handler is free once it is gone.
  ASSERT_TRUE(eventually([&] {
    auto started = ZapServer::start(*context, {.null_domains = {"elsewhere"}});
    if (started) zap = std::move(*started);
    return zap != nullptr;
  }));
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));

  bool refused = false;
  EXPECT_TRUE(eventually([&] {
    sender->recv_subscriptions([](SubscriptionChange, std::string_view) { ADD_FAILURE() << "let in"; }, 100);
    sender->drain_monitor(
        [&](const MonitorEvent& event) { refused |= event.kind == MonitorEventKind::HandshakeRefused; });
    return refused && zap->refused() > 0;
  }));
  EXPECT_EQ(zap->admitted(), 0u);
}

TEST_F(AccessTest, CountsWhomItAdmits) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(hears_of(*sender, "a"));
  EXPECT_EQ(zap->admitted(), 1u);
  EXPECT_EQ(zap->refused(), 0u);
}

TEST_F(AccessTest, ManyConnectionsDoNotFreezeALaneWhoseMonitorNobodyReads) {
  std::string flooded_at;
  auto flooded = publisher(flooded_at, 2);
  std::string at;
  auto sender = publisher(at, 3);  // the same I/O thread
  auto receiver = subscriber(3);
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(hears_of(*sender, "a"));

  for (int i = 0; i < 2500; ++i) TcpConnection connection(port_of(flooded_at));

  sender->send(bytes("a1"));
  EXPECT_EQ(next_frame(*receiver), "a1");
  EXPECT_GT(flooded->drain_monitor([](const MonitorEvent&) {}), 2000u);
}

}  // namespace
}  // namespace legion::transport::test
