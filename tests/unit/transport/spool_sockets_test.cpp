#include <legion/transport/spool_sockets.hpp>

#include <algorithm>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

using News = SpoolClient::News;
using SharedBody = std::shared_ptr<const Bytes>;

Bytes head(std::string_view text) { return Bytes(text.begin(), text.end()); }

SharedBody body_of(std::size_t size, std::uint8_t fill = 7) { return std::make_shared<const Bytes>(size, fill); }

class SpoolSocketsTest : public TransportTest {
 protected:
  void TearDown() override {
    clients.clear();
    server.reset();
    TransportTest::TearDown();
  }

  void listen(SpoolServerOptions options = {}) {
    server = SpoolServer::create(*context, options).value();
    EXPECT_TRUE(eventually([&] {
      auto bound = server->bind(at.empty() ? uri(free_port()) : at);
      if (bound) at = *bound;
      return bound.has_value();
    }));
  }
  SpoolClient& client() {
    clients.push_back(SpoolClient::connect(*context, at, {.redial_max = 200ms}).value());
    return *clients.back();
  }
  /// A client with a connection, the news of it taken.
  SpoolClient& connected() {
    SpoolClient& made = client();
    EXPECT_TRUE(wait_for(made, {News::Up}));
    return made;
  }
  bool wait_for(SpoolClient& of, std::vector<News> wanted) {
    std::vector<News> seen;
    return eventually([&] {
      turn();
      of.on_turn(steady_now());
      std::ranges::copy(of.take_news(), std::back_inserter(seen));
      return seen == wanted;
    });
  }
  void turn() {
    if (server) server->drain_monitor([](const MonitorEvent&) {});
  }
  SpoolRequest next_request() {
    std::optional<SpoolRequest> request;
    EXPECT_TRUE(eventually([&] {
      turn();
      request = server->recv();
      return request.has_value();
    }));
    return request ? std::move(*request) : SpoolRequest{};
  }
  static SpoolParts next_answer(SpoolClient& of) {
    std::optional<SpoolParts> parts;
    EXPECT_TRUE(eventually([&] {
      of.on_turn(steady_now());
      parts = of.recv();
      return parts.has_value();
    }));
    return parts ? std::move(*parts) : SpoolParts{};
  }

  std::string at;
  std::unique_ptr<SpoolServer> server;
  std::vector<std::unique_ptr<SpoolClient>> clients;
};

TEST_F(SpoolSocketsTest, CarriesHeadsAndBodiesBothWays) {
  listen();
  SpoolClient& asker = connected();
  ASSERT_TRUE(asker.send(bytes("head alone")));
  ASSERT_TRUE(asker.send(bytes("small"), body_of(10, 1)));
  ASSERT_TRUE(asker.send(bytes("large"), body_of(100'000, 2)));

  SpoolRequest alone = next_request();
  SpoolRequest small = next_request();
  SpoolRequest large = next_request();
  EXPECT_EQ(alone.parts.head.text(), "head alone");
  EXPECT_FALSE(alone.parts.body);
  EXPECT_EQ(small.parts.head.text(), "small");
  EXPECT_EQ(small.parts.body->text(), std::string(10, '\1'));
  EXPECT_EQ(large.parts.body->text(), std::string(100'000, '\2'));
  EXPECT_EQ(large.peer, alone.peer);

  EXPECT_EQ(server->reply(alone.peer, head("answer"), body_of(5'000'000, 3)), SendResult::Sent);
  EXPECT_EQ(server->reply(alone.peer, head("second")), SendResult::Sent);
  const SpoolParts answer = next_answer(asker);
  EXPECT_EQ(answer.head.text(), "answer");
  EXPECT_EQ(answer.body->text(), std::string(5'000'000, '\3'));
  EXPECT_EQ(next_answer(asker).head.text(), "second");
}

TEST_F(SpoolSocketsTest, HoldsABodyWithoutCopyingUntilItIsSent) {
  listen();
  SpoolClient& asker = connected();
  ASSERT_TRUE(asker.send(bytes("q")));
  const std::string peer = next_request().peer;

  SharedBody body = body_of(1'000'000);
  const std::weak_ptr<const Bytes> watched = body;
  ASSERT_EQ(server->reply(peer, head("a"), std::move(body)), SendResult::Sent);
  next_answer(asker);
  EXPECT_TRUE(eventually([&] { return watched.expired() && server->queued_bytes(peer) == 0; }));
  ASSERT_EQ(server->reply(peer, Bytes(500'000, 1)), SendResult::Sent);
  EXPECT_EQ(next_answer(asker).head.size(), 500'000u);
  EXPECT_TRUE(eventually([&] { return server->queued_bytes(peer) == 0; }));

  SharedBody frame = body_of(1'000'000);
  const std::weak_ptr<const Bytes> sent = frame;
  ASSERT_TRUE(asker.send(bytes("f"), frame));
  frame.reset();
  next_request();
  EXPECT_TRUE(eventually([&] { return sent.expired(); }));
}

TEST_F(SpoolSocketsTest, CountsWhatAPeerDoesNotReadAndServesOthersMeanwhile) {
  listen({.high_water_mark = 8});
  RawSocket deaf(*context, ZMQ_DEALER);
  deaf.set(ZMQ_RCVHWM, 1);
  deaf.set(ZMQ_RCVBUF, 4096);
  deaf.connect(at);
  ASSERT_TRUE(deaf.send("hello"));
  const std::string peer = next_request().peer;

  SendResult last = SendResult::Sent;
  for (int i = 0; i < 1000 && last == SendResult::Sent; ++i) last = server->reply(peer, head("a"), body_of(1'000'000));
  EXPECT_EQ(last, SendResult::Full);
  EXPECT_GE(server->queued_bytes(peer), 1'000'000u);
  EXPECT_LE(server->queued_bytes(peer), 16'000'000u);
  EXPECT_EQ(server->counters().replies_full, 1u);

  SpoolClient& other = connected();
  ASSERT_TRUE(other.send(bytes("q")));
  EXPECT_EQ(server->reply(next_request().peer, head("a")), SendResult::Sent);
  EXPECT_EQ(next_answer(other).head.text(), "a");
}

TEST_F(SpoolSocketsTest, TellsThatAConnectionEndedAndMakesAnother) {
  listen();
  SpoolClient& asker = connected();
  EXPECT_TRUE(asker.up());
  server.reset();
  EXPECT_TRUE(wait_for(asker, {News::Down}));
  EXPECT_FALSE(asker.up());
  EXPECT_FALSE(asker.send(bytes("nobody is there")));

  listen();
  EXPECT_TRUE(wait_for(asker, {News::Up}));
  ASSERT_TRUE(asker.send(bytes("again")));
  EXPECT_EQ(next_request().parts.head.text(), "again");
}

// ZeroMQ alone would send over the new connection what it had not got rid of on the old one.
TEST_F(SpoolSocketsTest, SendsNothingAgainOverTheNextConnection) {
  listen({.high_water_mark = 2});
  SpoolClient& asker = connected();
  int sent = 0;
  while (sent < 900 && asker.send(bytes("old"), body_of(100'000))) ++sent;
  ASSERT_GT(sent, 10);
  server.reset();
  ASSERT_TRUE(wait_for(asker, {News::Down}));
  listen();
  ASSERT_TRUE(wait_for(asker, {News::Up}));
  ASSERT_TRUE(asker.send(bytes("new")));
  EXPECT_EQ(next_request().parts.head.text(), "new");
}

TEST_F(SpoolSocketsTest, GivesWhatCameBeforeTheConnectionEnded) {
  listen();
  SpoolClient& asker = connected();
  ASSERT_TRUE(asker.send(bytes("q")));
  const std::string peer = next_request().peer;
  for (int i = 0; i < 100; ++i) ASSERT_EQ(server->reply(peer, head(std::to_string(i))), SendResult::Sent);
  server.reset();  // lingers until they are sent
  ASSERT_TRUE(wait_for(asker, {News::Down}));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(next_answer(asker).head.text(), std::to_string(i));
  EXPECT_FALSE(asker.recv());
}

TEST_F(SpoolSocketsTest, TellsWhichPeerHasGoneOnceEverythingOfItWasRead) {
  listen();
  std::string leaving;
  SpoolClient& staying = connected();
  ASSERT_TRUE(staying.send(bytes("stay")));
  const std::string stays = next_request().peer;
  {
    auto goes = SpoolClient::connect(*context, at).value();
    EXPECT_TRUE(wait_for(*goes, {News::Up}));
    ASSERT_TRUE(goes->send(bytes("first")));
    leaving = next_request().peer;
    ASSERT_TRUE(goes->send(bytes("last")));
  }
  bool last_was_read = false;
  std::vector<std::string> gone;
  EXPECT_TRUE(eventually([&] {
    turn();
    if (auto request = server->recv()) last_was_read = request->parts.head.text() == "last";
    gone = server->take_gone();
    return !gone.empty();
  }));
  EXPECT_EQ(gone, std::vector<std::string>{leaving});
  EXPECT_TRUE(last_was_read);
  // The socket may still be ending its side of the connection.
  EXPECT_TRUE(eventually([&] {
    turn();
    return server->reply(leaving, head("a")) == SendResult::Unreachable;
  }));
  EXPECT_EQ(server->reply(stays, head("a")), SendResult::Sent);
  EXPECT_EQ(server->counters().replies_unreachable, 1u);
}

TEST_F(SpoolSocketsTest, DiscardsWhatIsNoMessageOfOurs) {
  listen();
  RawSocket raw(*context, ZMQ_DEALER);
  raw.connect(at);
  ASSERT_TRUE(raw.send(""));
  ASSERT_TRUE(raw.send("one", ZMQ_SNDMORE));
  ASSERT_TRUE(raw.send("two", ZMQ_SNDMORE));
  ASSERT_TRUE(raw.send("three"));
  ASSERT_TRUE(raw.send("good"));
  EXPECT_EQ(next_request().parts.head.text(), "good");
  EXPECT_EQ(server->counters().malformed, 2u);
}

TEST_F(SpoolSocketsTest, ClosesAConnectionThatSendsTooMuchAndKeepsTheOthers) {
  listen();
  SpoolClient& good = connected();
  SpoolClient& greedy = connected();
  ASSERT_TRUE(greedy.send(bytes("h"), body_of(spool_message_bytes_max + 1)));
  EXPECT_TRUE(wait_for(greedy, {News::Down, News::Up}));
  ASSERT_TRUE(good.send(bytes("h"), body_of(spool_message_bytes_max)));
  EXPECT_EQ(next_request().parts.body->size(), spool_message_bytes_max);
  EXPECT_TRUE(good.up());
}

TEST_F(SpoolSocketsTest, CountsAttemptsThatFail) {
  at = uri(free_port());
  SpoolClient& asker = client();
  EXPECT_TRUE(eventually([&] {
    asker.on_turn(steady_now());
    return asker.failed_attempts() >= 2;
  }));
  EXPECT_FALSE(asker.up());
  listen();
  EXPECT_TRUE(wait_for(asker, {News::Up}));
  EXPECT_EQ(asker.failed_attempts(), 0u);
}

// Whatever listens there does not speak ZeroMQ: ZeroMQ itself would give up for ever.
TEST_F(SpoolSocketsTest, DialsAgainAfterAHandshakeThatFailed) {
  const std::uint16_t port = free_port();
  at = uri(port);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 8), 0);

  SpoolClient& asker = client();
  EXPECT_TRUE(eventually([&] {
    asker.on_turn(steady_now());
    const int accepted = accept(listener, nullptr, nullptr);
    if (accepted >= 0) {
      EXPECT_GT(::send(accepted, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL), 0);
      close(accepted);
    }
    return asker.failed_attempts() >= 2;
  }));
  close(listener);
  listen();
  EXPECT_TRUE(wait_for(asker, {News::Up}));
}

}  // namespace
}  // namespace legion::transport::test
