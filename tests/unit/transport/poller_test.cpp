#include <legion/transport/poller.hpp>

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include <legion/transport/control_client.hpp>
#include <legion/transport/control_server.hpp>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

class PollerTest : public TransportTest {
 protected:
  void SetUp() override {
    TransportTest::SetUp();
    poller = Poller::create().value();
    watchdog = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    watchdog_token = poller->add({watchdog, nullptr});
  }
  void TearDown() override {
    close(watchdog);
    TransportTest::TearDown();
  }

  /// Looks, and sleeps without limit until there is something to look at again, until `look` answers true. No flag is
  /// raised by the clock meanwhile, so a message that was missed is missed until the watchdog barks.
  template <class Look>
  bool turns_until(const Look& look) {
    const itimerspec in_20_s{.it_interval = {}, .it_value = {.tv_sec = 20, .tv_nsec = 0}};
    timerfd_settime(watchdog, 0, &in_20_s, nullptr);
    while (!look()) {
      poller->wait(-1s);
      if (poller->ready(watchdog_token)) return false;
    }
    return true;
  }

  std::unique_ptr<Poller> poller;
  int watchdog = -1;
  std::size_t watchdog_token = 0;
};

TEST_F(PollerTest, SleepsOnlyOnceEveryFlagWasLoweredByALook) {
  std::string at;
  auto sender = publisher(at);
  poller->add(sender->pollables());
  EXPECT_TRUE(poller->has_input());
  EXPECT_EQ(poller->wait(10s), PollOutcome::Ready);
  sender->recv_subscriptions([](SubscriptionChange, std::string_view) {}, 100);
  EXPECT_TRUE(sender->monitor_may_have_input());
  sender->drain_monitor([](const MonitorEvent&) {});
  EXPECT_FALSE(poller->has_input());
  EXPECT_FALSE(sender->may_have_subscriptions());
}

TEST_F(PollerTest, EveryOtherCallOnASocketRaisesItsFlag) {
  auto receiver = subscriber();
  poller->add(receiver->pollables());
  const auto settle = [&] {
    while (receiver->recv()) {
    }
    receiver->drain_monitor([](const MonitorEvent&) {});
    return !receiver->may_have_input();
  };
  ASSERT_TRUE(settle());
  ASSERT_TRUE(receiver->subscribe("a"));
  EXPECT_TRUE(receiver->may_have_input());
  ASSERT_TRUE(settle());
  receiver->process_commands();
  EXPECT_TRUE(receiver->may_have_input());
  ASSERT_TRUE(settle());
  const std::string nobody = uri(free_port());
  ASSERT_TRUE(receiver->connect(nobody));
  EXPECT_TRUE(receiver->may_have_input());
  ASSERT_TRUE(settle());
  ASSERT_TRUE(receiver->disconnect(nobody));
  EXPECT_TRUE(receiver->may_have_input());
}

// The call that takes in the arrival is not the one that reads it: without the flag the descriptor is silent, and the
// message would lie there until something else happens.
TEST_F(PollerTest, AMessageAnotherCallTookInIsNotSleptOver) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  poller->add(receiver->pollables());
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(hears_of(*sender, "a"));
  for (int i = 0; i < 300; ++i) {
    const std::string text = "a" + std::to_string(i);
    while (receiver->recv()) {
    }
    receiver->drain_monitor([](const MonitorEvent&) {});
    ASSERT_FALSE(receiver->may_have_input());
    sender->send(bytes(text));
    // Takes the signal away, now and then: commands are carried out for another reason.
    for (int k = 0; k < i; ++k) receiver->process_commands();
    std::string got;
    ASSERT_TRUE(turns_until([&] {
      if (auto frame = receiver->recv()) got = frame->text();
      receiver->drain_monitor([](const MonitorEvent&) {});
      return !got.empty();
    }));
    EXPECT_EQ(got, text);
  }
}

TEST_F(PollerTest, SubscriptionsThatArriveWhileSendingAreReported) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->subscribe("never"));
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(hears_of(*sender, "never"));
  poller->add(sender->pollables());
  const auto readable = [fd = sender->pollables().front().fd] {
    pollfd item{fd, POLLIN, 0};
    return poll(&item, 1, 0) == 1;
  };
  std::set<std::string> reported;
  for (int i = 0; i < 20; ++i) {
    const std::string topic = "t" + std::to_string(i);
    ASSERT_TRUE(receiver->subscribe(topic));
    ASSERT_TRUE(eventually(readable));
    // The send that takes the subscription in, and the signal away; most sends do not look.
    ASSERT_TRUE(eventually([&] {
      sender->send(bytes("x"));
      return !readable();
    }));
    EXPECT_TRUE(turns_until([&] {
      sender->recv_subscriptions([&](SubscriptionChange, std::string_view what) { reported.emplace(what); }, 100);
      sender->drain_monitor([](const MonitorEvent&) {});
      return reported.contains(topic);
    }));
  }
}

TEST_F(PollerTest, ABoundedReadLeavesTheFlagUpUntilTheEnd) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  poller->add(receiver->pollables());
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(hears_of(*sender, "a"));
  constexpr int count = 1000;
  for (int i = 0; i < count; ++i) ASSERT_EQ(sender->send(bytes("a")), PublishOutcome::Sent);
  int read = 0;
  EXPECT_TRUE(turns_until([&] {
    receiver->drain_monitor([](const MonitorEvent&) {});
    int now = 0;
    while (now < 3 && receiver->recv()) ++now;
    read += now;
    EXPECT_EQ(receiver->may_have_input(), now == 3);
    return read == count;
  }));
}

// Looks, subscriptions and housekeeping in random order against a peer that sends the next message when the last one
// was read.
TEST_F(PollerTest, NothingWaitsWhateverElseIsCalledInBetween) {
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  std::string at;
  auto origin = publisher(at);
  auto receiver = subscriber();
  poller->add(receiver->pollables());
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(hears_of(*origin, "a"));

  constexpr int rounds = 400;
  std::atomic<int> acknowledged{0};
  std::thread sending([&] {
    std::mt19937 pause(seed + 1);
    for (int i = 0; i < rounds; ++i) {
      for (unsigned k = pause() % 3000; k > 0; --k) std::atomic_signal_fence(std::memory_order_seq_cst);
      origin->send(as_bytes_view("a" + std::to_string(i)));
      origin->recv_subscriptions([](SubscriptionChange, std::string_view) {}, 100);
      while (acknowledged.load() <= i) std::this_thread::yield();
    }
  });
  EXPECT_TRUE(turns_until([&] {
    switch (random() % 4) {
      case 0: receiver->process_commands(); break;
      case 1: EXPECT_TRUE(receiver->subscribe("b" + std::to_string(random() % 8))); break;
      case 2: EXPECT_TRUE(receiver->unsubscribe("b" + std::to_string(random() % 8))); break;
      default: break;
    }
    if (receiver->recv()) acknowledged.fetch_add(1);
    receiver->drain_monitor([](const MonitorEvent&) {});
    return acknowledged.load() == rounds;
  }));
  acknowledged.store(rounds);
  sending.join();
}

TEST_F(PollerTest, MonitorsAreReportedWithoutBeingAskedEveryTurn) {
  std::string at;
  auto sender = publisher(at);
  poller->add(sender->pollables());
  auto receiver = subscriber();
  poller->add(receiver->pollables());
  ASSERT_TRUE(receiver->connect(at));
  bool up = false;
  bool accepted = false;
  EXPECT_TRUE(turns_until([&] {
    receiver->drain_monitor(
        [&](const MonitorEvent& event) { up |= event.kind == MonitorEventKind::HandshakeSucceeded; });
    sender->drain_monitor([&](const MonitorEvent& event) { accepted |= event.kind == MonitorEventKind::Accepted; });
    while (receiver->recv()) {
    }
    sender->recv_subscriptions([](SubscriptionChange, std::string_view) {}, 100);
    return up && accepted;
  }));
  EXPECT_FALSE(poller->has_input() && receiver->monitor_may_have_input() && sender->monitor_may_have_input());
}

// Housekeeping of a socket happens inside calls on it: flags that nobody raised come up by themselves.
TEST_F(PollerTest, RaisesEveryFlagNowAndThen) {
  auto receiver = subscriber();
  poller->add(receiver->pollables());
  int raised = 0;
  const SteadyTime begun = steady_now();
  while (raised < 3) {
    while (receiver->recv()) {
    }
    receiver->drain_monitor([](const MonitorEvent&) {});
    ASSERT_FALSE(receiver->may_have_input());
    EXPECT_EQ(poller->wait(60s), PollOutcome::Ready);
    raised += receiver->may_have_input() ? 1 : 0;
    ASSERT_LT(steady_now() - begun, 30s);
  }
}

TEST_F(PollerTest, LinksOfAClientComeAndGo) {
  auto server = ControlServer::create(*context).value();
  std::string at;
  ASSERT_TRUE(eventually([&] {
    auto bound = server->bind(uri(free_port()));
    if (bound) at = *bound;
    return bound.has_value();
  }));
  ControlClient client(*context);
  client.watch(*poller);
  poller->add(server->pollables());
  const std::size_t without = poller->size();
  int answers = 0;
  const ControlClientReports reports{
      .on_message = [&](const std::string&, const Message&) { ++answers; },
      .on_refused = [](const std::string&) {},
      .on_lost = [](const std::string&) {},
  };
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(client.send(at, bytes("question"), steady_now()));
    EXPECT_EQ(poller->size(), without + 2);
    EXPECT_TRUE(turns_until([&] {
      while (auto request = server->recv()) server->reply(request->peer, request->payload.bytes());
      server->drain_monitor([](const MonitorEvent&) {});
      if (client.may_have_input()) client.recv(reports, steady_now(), 10);
      return answers > round;
    }));
    client.close(at);
    EXPECT_EQ(poller->size(), without);
  }
}

TEST_F(PollerTest, EndsWhenTheContextIsShutDownThoughNobodySends) {
  auto receiver = subscriber();
  poller->add(receiver->pollables());
  context->shutdown();
  PollOutcome outcome = PollOutcome::Ready;
  const SteadyTime begun = steady_now();
  while (outcome != PollOutcome::Closed && steady_now() - begun < 20s) {
    EXPECT_FALSE(receiver->recv());
    outcome = poller->wait(10s);
  }
  EXPECT_EQ(outcome, PollOutcome::Closed);
}

TEST_F(PollerTest, SocketsMayOutliveTheirPoller) {
  std::string at;
  auto sender = publisher(at);
  poller->add(sender->pollables());
  sender->recv_subscriptions([](SubscriptionChange, std::string_view) {}, 100);
  poller.reset();
  EXPECT_TRUE(sender->may_have_subscriptions());  // in no poller: every look is real
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(receiver->connect(at));
  EXPECT_TRUE(hears_of(*sender, "a"));
}

TEST(Poller, UsesTokensAgainAndForgetsWhatWasRemoved) {
  auto poller = Poller::create().value();
  const int first = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  const int second = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  const std::size_t token = poller->add({first, nullptr});
  EXPECT_EQ(poller->wait(0ms), PollOutcome::Ready);
  EXPECT_TRUE(poller->ready(token));
  poller->remove(token);
  EXPECT_EQ(poller->wait(0ms), PollOutcome::TimedOut);
  const std::size_t again = poller->add({second, nullptr});
  EXPECT_EQ(again, token);
  EXPECT_FALSE(poller->ready(again));
  EXPECT_EQ(poller->wait(10s), PollOutcome::Ready);
  EXPECT_TRUE(poller->ready(again));
  poller->remove(again);
  close(first);
  close(second);
}

TEST(Poller, AWaitInBetweenLeavesWhatTheLastOneFound) {
  auto poller = Poller::create().value();
  const int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  const std::size_t token = poller->add({fd, nullptr});
  EXPECT_EQ(poller->wait(0ms), PollOutcome::Ready);
  std::uint64_t count = 0;
  ASSERT_EQ(read(fd, &count, sizeof count), static_cast<ssize_t>(sizeof count));
  poller->look();
  EXPECT_TRUE(poller->ready(token));
  EXPECT_EQ(poller->wait(0ms), PollOutcome::TimedOut);
  EXPECT_FALSE(poller->ready(token));
  poller->remove(token);
  close(fd);
}

}  // namespace
}  // namespace legion::transport::test
