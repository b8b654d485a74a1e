#include <legion/transport/control_client.hpp>
#include <legion/transport/control_server.hpp>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

class ControlTest : public TransportTest {
 protected:
  void SetUp() override {
    TransportTest::SetUp();
    client = std::make_unique<ControlClient>(*context, ControlClientOptions{.redial_max = 200ms, .idle_limit = 1s});
    reports.on_message = [this](const std::string& address, Message payload) {
      answers.push_back(address + " " + std::string(payload.text()));
    };
    reports.on_refused = [this](const std::string& address) { refused.push_back(address); };
    reports.on_lost = [this](const std::string& address) { lost.push_back(address); };
  }
  void TearDown() override {
    client.reset();
    TransportTest::TearDown();
  }

  std::unique_ptr<ControlServer> server(std::string& bound) {
    auto made = ControlServer::create(*context).value();
    EXPECT_TRUE(eventually([&] {
      auto result = made->bind(uri(free_port()));
      if (result) bound = *result;
      return result.has_value();
    }));
    return made;
  }
  /// Answers one request with itself in capitals.
  static bool echo(ControlServer& at) {
    auto request = at.recv();
    if (!request) return false;
    const std::string answer = "re:" + std::string(request->payload.text());
    EXPECT_EQ(at.reply(request->peer, bytes(answer)), SendResult::Sent);
    return true;
  }
  void turn() { client->recv(reports, steady_now(), 100); }

  std::unique_ptr<ControlClient> client;
  ControlClientReports reports;
  std::vector<std::string> answers, refused, lost;
};

TEST_F(ControlTest, AsksSeveralServersAndKeepsTheirAnswersApart) {
  std::string at_a;
  std::string at_b;
  auto a = server(at_a);
  auto b = server(at_b);
  ASSERT_TRUE(client->send(at_a, bytes("one"), steady_now()));
  ASSERT_TRUE(client->send(at_b, bytes("two"), steady_now()));

  EXPECT_TRUE(eventually([&] {
    echo(*a);
    echo(*b);
    turn();
    return answers.size() == 2;
  }));

  std::ranges::sort(answers);
  std::vector<std::string> wanted{at_a + " re:one", at_b + " re:two"};
  std::ranges::sort(wanted);
  EXPECT_EQ(answers, wanted);
  EXPECT_TRUE(refused.empty());
}

TEST_F(ControlTest, AnswersAReqSocketInItsEnvelope) {
  std::string at;
  auto a = server(at);
  RawSocket req(*context, ZMQ_REQ);
  req.connect(at);
  ASSERT_TRUE(req.send("hello"));
  ASSERT_TRUE(eventually([&] { return echo(*a); }));
  std::vector<std::string> answer;
  EXPECT_TRUE(eventually([&] {
    answer = req.receive();
    return !answer.empty();
  }));
  EXPECT_EQ(answer, std::vector<std::string>{"re:hello"});
}

TEST_F(ControlTest, DiscardsAndCountsMalformedRequests) {
  std::string at;
  auto a = server(at);
  RawSocket dealer(*context, ZMQ_DEALER);
  dealer.connect(at);
  dealer.send("");
  dealer.send("one", ZMQ_SNDMORE);
  dealer.send("two");
  for (int i = 0; i < 50; ++i) dealer.send("", ZMQ_SNDMORE);
  dealer.send("many");
  dealer.send("good");

  std::string got;
  ASSERT_TRUE(eventually([&] {
    if (auto request = a->recv()) got = request->payload.text();
    return !got.empty();
  }));

  EXPECT_EQ(got, "good");
  EXPECT_EQ(a->counters().malformed, 3u);
}

TEST_F(ControlTest, DropsAndCountsAnAnswerToAPeerThatHasGone) {
  std::string at;
  auto a = server(at);
  std::optional<ControlRequest> request;
  {
    RawSocket dealer(*context, ZMQ_DEALER);
    dealer.connect(at);
    dealer.send("bye");
    ASSERT_TRUE(eventually([&] { return (request = a->recv()).has_value(); }));
  }
  EXPECT_TRUE(eventually([&] { return a->reply(request->peer, bytes("late")) == SendResult::Unreachable; }));
  EXPECT_EQ(a->counters().replies_unreachable, 1u);
}

TEST_F(ControlTest, APeerThatDoesNotReadItsAnswersHoldsUpNobody) {
  auto a = ControlServer::create(*context, {.high_water_mark = 10}).value();
  std::string at;
  ASSERT_TRUE(eventually([&] {
    auto bound = a->bind(uri(free_port()));
    if (bound) at = *bound;
    return bound.has_value();
  }));
  RawSocket deaf(*context, ZMQ_DEALER);
  deaf.set(ZMQ_RCVHWM, 1);
  deaf.connect(at);
  deaf.send("hello");
  std::optional<ControlRequest> request;
  ASSERT_TRUE(eventually([&] { return (request = a->recv()).has_value(); }));

  const std::string large(256 * 1024, 'x');
  EXPECT_TRUE(eventually([&] { return a->reply(request->peer, bytes(large)) == SendResult::Full; }));

  EXPECT_EQ(a->counters().replies_full, 1u);
  ASSERT_TRUE(client->send(at, bytes("next"), steady_now()));
  EXPECT_TRUE(eventually([&] {
    echo(*a);
    turn();
    return !answers.empty();
  }));
}

TEST_F(ControlTest, ReportsARefusedConnection) {
  const std::string nobody = uri(free_port());
  ASSERT_TRUE(client->send(nobody, bytes("hello"), steady_now()));
  EXPECT_TRUE(eventually([&] {
    turn();
    return !refused.empty();
  }));
  EXPECT_EQ(refused.front(), nobody);

  client->close(nobody);
  EXPECT_FALSE(client->has_link(nobody));
  EXPECT_EQ(client->links(), 0u);
}

TEST_F(ControlTest, AReportMayCloseTheLinkItIsAbout) {
  reports.on_refused = [this](const std::string& address) {
    refused.push_back(address);
    client->close(address);
  };
  const std::string nobody = uri(free_port());
  ASSERT_TRUE(client->send(nobody, bytes("hello"), steady_now()));
  EXPECT_TRUE(eventually([&] {
    turn();
    return !refused.empty();
  }));
  EXPECT_EQ(client->links(), 0u);
}

TEST_F(ControlTest, ReportsALostServerAndReachesItsSuccessor) {
  std::string at;
  auto a = server(at);
  ASSERT_TRUE(client->send(at, bytes("one"), steady_now()));
  ASSERT_TRUE(eventually([&] {
    echo(*a);
    turn();
    return answers.size() == 1;
  }));

  a.reset();
  EXPECT_TRUE(eventually([&] {
    turn();
    return !lost.empty();
  }));
  a = ControlServer::create(*context).value();
  ASSERT_TRUE(eventually([&] { return a->bind(at).has_value(); }));
  ASSERT_TRUE(client->send(at, bytes("two"), steady_now()));

  EXPECT_TRUE(eventually([&] {
    echo(*a);
    turn();
    return answers.size() == 2;
  }));
}

TEST_F(ControlTest, ClosesIdleLinksOnly) {
  std::string at;
  auto a = server(at);
  const SteadyTime start{1};
  ASSERT_TRUE(client->send(at, bytes("x"), start));
  client->close_idle(start + 999ms);
  EXPECT_TRUE(client->has_link(at));
  client->close_idle(start + 1s);
  EXPECT_FALSE(client->has_link(at));
}

TEST_F(ControlTest, BoundsTheNumberOfLinks) {
  ControlClient two(*context, {.links_max = 2});
  EXPECT_TRUE(two.send("tcp://127.0.0.1:9", bytes("x"), {}));
  EXPECT_TRUE(two.send("tcp://127.0.0.1:10", bytes("x"), {}));
  const auto third = two.send("tcp://127.0.0.1:11", bytes("x"), {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::WouldBlock);
  EXPECT_TRUE(two.send("tcp://127.0.0.1:9", bytes("y"), {}));
}

}  // namespace
}  // namespace legion::transport::test
