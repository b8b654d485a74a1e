#include <set>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

using LaneRecoveryTest = TransportTest;

std::set<std::string> subscribe_to_many(LaneSubscriber& receiver, int count) {
  std::set<std::string> topics;
  for (int i = 0; i < count; ++i) {
    topics.insert("type." + std::to_string(i) + std::string(1, '\0'));
    EXPECT_TRUE(receiver.subscribe("type." + std::to_string(i) + std::string(1, '\0')));
  }
  return topics;
}

TEST_F(LaneRecoveryTest, EverySubscriptionSurvivesARestartOfThePeer) {
  constexpr int count = 3000;
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  SupervisedLinks links(*receiver);
  links.connect(at);
  const auto wanted = subscribe_to_many(*receiver, count);
  const auto all_reported = [&] {
    std::set<std::string> reported;
    return eventually([&] {
      links.turn();
      receiver->process_commands();
      sender->recv_subscriptions([&](SubscriptionChange, std::string_view topic) { reported.emplace(topic); }, 10000);
      return reported == wanted;
    });
  };
  ASSERT_TRUE(all_reported());

  for (int restart = 0; restart < 3; ++restart) {
    sender.reset();
    sender = publisher_at(at);
    EXPECT_TRUE(all_reported()) << "after restart " << restart;
  }
}

TEST_F(LaneRecoveryTest, AllSubscriptionsAreInForceWhenASyncTopicIsReportedAfterAReconnect) {
  constexpr int count = 2000;
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber(2, {.redial_max = 200ms});
  SupervisedLinks links(*receiver);
  links.connect(at);
  const auto wanted = subscribe_to_many(*receiver, count);

  for (int round = 0; round < 12; ++round) {
    const std::string sync = "~sync.a.b." + std::to_string(round) + std::string(1, '\0');
    std::set<std::string> reported;
    bool synced = false;
    bool asked = false;
    ASSERT_TRUE(eventually([&] {
      if (!links.turn().empty()) {
        receiver->process_commands();
        EXPECT_TRUE(receiver->subscribe(sync));
        asked = true;
      }
      if (!asked) receiver->process_commands();
      sender->recv_subscriptions(
          [&](SubscriptionChange, std::string_view topic) {
            if (synced) return;
            if (topic == sync) {
              synced = true;
            } else {
              reported.emplace(topic);
            }
          },
          100000);
      return synced;
    })) << "round "
        << round;
    for (const std::string& topic : wanted) ASSERT_TRUE(reported.contains(topic)) << "round " << round;

    // The echo reaches the one that asked, and so does everything sent before it.
    sender->send(bytes(*wanted.begin() + "event"));
    sender->send(bytes(*wanted.rbegin() + "event"));
    sender->send(bytes(sync));
    EXPECT_EQ(next_frame(*receiver), *wanted.begin() + "event");
    EXPECT_EQ(next_frame(*receiver), *wanted.rbegin() + "event");
    EXPECT_EQ(next_frame(*receiver), sync);
    ASSERT_TRUE(receiver->unsubscribe(sync));
    sender.reset();
    sender = publisher_at(at);
  }
}

TEST_F(LaneRecoveryTest, ANewSubscriptionOnALiveLinkIsInForceWhenItsSyncTopicIsReported) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  SupervisedLinks links(*receiver);
  links.connect(at);
  ASSERT_TRUE(links.come_up());

  ASSERT_TRUE(receiver->subscribe("trade."));
  ASSERT_TRUE(receiver->subscribe("~sync"));
  ASSERT_TRUE(hears_of(*sender, "~sync"));
  sender->send(bytes("trade.x"));

  EXPECT_EQ(next_frame(*receiver), "trade.x");
}

TEST_F(LaneRecoveryTest, TheSupervisorRestoresALinkThatAProtocolErrorEnded) {
  RawSocket peer(*context, ZMQ_PUB);
  const std::string at = uri(free_port());
  peer.bind(at);
  auto receiver = subscriber(2, {.message_bytes_max = 1000});
  SupervisedLinks links(*receiver, {.give_up_after = 100ms});
  links.connect(at);
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(links.come_up());

  ASSERT_TRUE(eventually([&] {
    links.turn();
    peer.send("a" + std::string(5000, 'x'));
    return links.downs > 0;
  }));
  const bool restored = links.come_up();

  EXPECT_TRUE(restored);
  EXPECT_GE(links.supervisor().redials(), 1u);
  EXPECT_TRUE(eventually([&] {
    peer.send("a small one");
    return receiver->recv().has_value();
  }));
}

TEST_F(LaneRecoveryTest, TheSupervisorRestoresALinkToAPortThatSpokeAnotherProtocolFirst) {
  const std::uint16_t port = free_port();
  auto receiver = subscriber(2);
  SupervisedLinks links(*receiver, {.give_up_after = 100ms});
  ASSERT_TRUE(receiver->subscribe("a"));
  {
    RawSocket wrong(*context, ZMQ_REP);
    wrong.bind(uri(port));
    links.connect(uri(port));
    ASSERT_TRUE(eventually([&] {
      EXPECT_TRUE(links.turn().empty());
      return links.supervisor().redials() > 0;
    }));
  }

  auto sender = publisher_at(uri(port));

  EXPECT_TRUE(links.come_up());
  EXPECT_TRUE(hears_of(*sender, "a"));
}

TEST_F(LaneRecoveryTest, RedialingASuspectKeepsItsSubscriptions) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  SupervisedLinks links(*receiver);
  links.connect(at);
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(links.come_up());
  ASSERT_TRUE(hears_of(*sender, "a"));

  links.supervisor().on_suspect(steady_now(), at);
  ASSERT_TRUE(links.come_up());

  EXPECT_EQ(links.downs, 1);
  EXPECT_TRUE(eventually([&] {
    links.turn();
    sender->recv_subscriptions([](SubscriptionChange, std::string_view) {}, 100);
    sender->send(bytes("a1"));
    return receiver->recv().has_value();
  }));
  // Nothing that belonged to the replaced connection brings the new one down.
  EXPECT_EQ(links.supervisor().redials(), 1u);
  EXPECT_TRUE(links.supervisor().is_up(at));
}

}  // namespace
}  // namespace legion::transport::test
