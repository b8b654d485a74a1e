// The sockets of the spool port: two parts, large bodies, whose connection ended.
#include <legion/transport/spool_sockets.hpp>

#include "kit.hpp"

namespace legion::conformance {
namespace {

using News = SpoolClient::News;

struct SpoolPair {
  explicit SpoolPair(SpoolClientOptions options = {}) : at(world::free_address()) {
    listen();
    client = SpoolClient::connect(*zmq.context, at, options).value();
  }
  void listen(SpoolServerOptions options = {}) {
    server = SpoolServer::create(*zmq.context, options).value();
    EXPECT_TRUE(world::until([&] { return server->bind(at).has_value(); }));
  }
  void turn() {
    client->on_turn(world::now());
    for (const News one : client->take_news()) news.push_back(one);
    if (server) server->drain_monitor([](const MonitorEvent&) {});
  }
  bool hears(std::size_t count) {
    return world::until([&] {
      turn();
      return news.size() >= count;
    });
  }
  std::optional<SpoolRequest> request() {
    std::optional<SpoolRequest> got;
    EXPECT_TRUE(world::until([&] {
      turn();
      return (got = server->recv()).has_value();
    }));
    return got;
  }
  std::optional<SpoolParts> answer() {
    std::optional<SpoolParts> got;
    EXPECT_TRUE(world::until([&] {
      turn();
      return (got = client->recv()).has_value();
    }));
    return got;
  }
  const std::string at;
  Zmq zmq;
  std::unique_ptr<SpoolServer> server;
  std::unique_ptr<SpoolClient> client;
  std::vector<News> news;
};

std::shared_ptr<const Bytes> body(std::size_t size) { return std::make_shared<const Bytes>(size, std::uint8_t{7}); }
Bytes head(std::string_view text) { return {text.begin(), text.end()}; }

SCENARIO(Spools, PartsStayTogether) {
  SpoolPair pair;
  ASSERT_TRUE(pair.hears(1));
  ASSERT_TRUE(pair.client->send(bytes("head alone")));
  ASSERT_TRUE(pair.client->send(bytes("small"), body(10)));
  ASSERT_TRUE(pair.client->send(bytes("large"), body(1'000'000)));

  auto one = pair.request();
  EXPECT_EQ(one->parts.head.text(), "head alone");
  EXPECT_FALSE(one->parts.body);
  auto two = pair.request();
  ASSERT_TRUE(two->parts.body);
  EXPECT_EQ(two->parts.body->size(), 10u);
  auto three = pair.request();
  ASSERT_TRUE(three->parts.body);
  EXPECT_EQ(three->parts.body->size(), 1'000'000u);
  EXPECT_EQ(pair.server->counters().malformed, 0u);
}

SCENARIO(Spools, ALargeAnswerIsCountedUntilItHasLeft) {
  SpoolPair pair;
  ASSERT_TRUE(pair.hears(1));
  ASSERT_TRUE(pair.client->send(bytes("x")));
  const auto request = pair.request();
  EXPECT_EQ(pair.server->reply(request->peer, head("re"), body(20'000'000)), SendResult::Sent);
  const auto answer = pair.answer();
  ASSERT_TRUE(answer->body);
  EXPECT_EQ(answer->body->size(), 20'000'000u);
  EXPECT_TRUE(world::until([&] { return pair.server->queued_bytes(request->peer) == 0; }));
}

SCENARIO(Spools, AMissingReaderFillsTheQueue) {
  SpoolPair pair({.high_water_mark = 10});
  ASSERT_TRUE(pair.hears(1));
  int taken = 0;
  ASSERT_TRUE(world::until([&] {
    for (int i = 0; i < 20; ++i) {
      if (!pair.client->send(bytes("x"), body(100'000))) return true;
      ++taken;
    }
    return false;
  }));
  EXPECT_GE(taken, 10);
  // All of it arrives once somebody reads, and then there is room again.
  for (int i = 0; i < taken; ++i) ASSERT_TRUE(pair.request());
  EXPECT_TRUE(world::until([&] {
    pair.turn();
    return pair.client->send(bytes("y"));
  }));
  EXPECT_EQ(pair.request()->parts.head.text(), "y");
}

SCENARIO(Spools, AConnectionThatEndsIsToldOnBothSides) {
  SpoolPair pair;
  ASSERT_TRUE(pair.hears(1));
  ASSERT_TRUE(pair.client->send(bytes("x")));
  const auto peer = pair.request()->peer;
  pair.client.reset();

  std::vector<std::string> gone;
  EXPECT_TRUE(world::until([&] {
    pair.server->drain_monitor([](const MonitorEvent&) {});
    pair.server->recv();
    for (auto& one : pair.server->take_gone()) gone.push_back(std::move(one));
    return !gone.empty();
  }));
  EXPECT_EQ(gone, Texts{peer});
}

SCENARIO(Spools, NothingIsSentAgainBehindTheOwnersBack) {
  SpoolPair pair({.redial_max = 200ms});
  ASSERT_TRUE(pair.hears(1));
  ASSERT_TRUE(pair.client->send(bytes("first life")));
  pair.request();
  pair.server.reset();
  ASSERT_TRUE(pair.hears(2));
  EXPECT_EQ(pair.news, (std::vector{News::Up, News::Down}));
  EXPECT_FALSE(pair.client->send(bytes("nobody hears this")));

  pair.listen();
  ASSERT_TRUE(pair.hears(3));
  ASSERT_TRUE(pair.client->send(bytes("second life")));
  EXPECT_EQ(pair.request()->parts.head.text(), "second life");
  EXPECT_EQ(pair.news.back(), News::Up);
}

SCENARIO(Spools, AnswersThatCameBeforeTheEndAreRead) {
  SpoolPair pair;
  ASSERT_TRUE(pair.hears(1));
  ASSERT_TRUE(pair.client->send(bytes("x")));
  const auto request = pair.request();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pair.server->reply(request->peer, head("re")), SendResult::Sent);
  pair.server.reset();
  ASSERT_TRUE(pair.hears(2));
  int answers = 0;
  while (pair.client->recv()) ++answers;
  EXPECT_EQ(answers, 10);
}

SCENARIO(Spools, FailedAttemptsAreCounted) {
  Zmq zmq;
  auto client = SpoolClient::connect(*zmq.context, world::free_address()).value();
  EXPECT_TRUE(world::until([&] {
    client->on_turn(world::now());
    return client->failed_attempts() >= 2;
  }));
  EXPECT_FALSE(client->up());
  EXPECT_FALSE(client->send(bytes("x")));
}

}  // namespace
}  // namespace legion::conformance
