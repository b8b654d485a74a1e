// ROUTER and DEALER: requests, answers, and peers that are full, gone, or not there yet.
#include <map>
#include <set>

#include <legion/transport/control_client.hpp>
#include <legion/transport/control_server.hpp>

#include "kit.hpp"

namespace legion::conformance {
namespace {

std::unique_ptr<ControlServer> server_at(Zmq& zmq, const std::string& at, ControlServerOptions options = {}) {
  auto made = ControlServer::create(*zmq.context, options).value();
  EXPECT_TRUE(world::until([&] { return made->bind(at).has_value(); }));
  return made;
}

ControlRequest next_request(ControlServer& server) {
  std::optional<ControlRequest> request;
  EXPECT_TRUE(world::until([&] { return (request = server.recv()).has_value(); }));
  return request ? std::move(*request) : ControlRequest{};
}

/// A client and what was reported to it.
struct Asker {
  explicit Asker(Zmq& zmq, ControlClientOptions options = {}) : client(*zmq.context, options) {}
  bool ask(const std::string& at, std::string_view what) {
    return client.send(at, bytes(what), world::now()).has_value();
  }
  void turn() {
    client.recv({.on_message = [&](const std::string&, Message text) { answers.emplace_back(text.text()); },
                 .on_refused = [&](const std::string&) { ++refused; },
                 .on_lost = [&](const std::string&) { ++lost; }},
                world::now(), 1000);
  }
  bool hears(std::size_t count) {
    return world::until([&] {
      turn();
      return answers.size() >= count;
    });
  }
  ControlClient client;
  Texts answers;
  int refused = 0;
  int lost = 0;
};

SCENARIO(Control, AnswersGoToWhoAsked) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  Asker a(zmq), b(zmq);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(a.ask(at, "a" + std::to_string(i)));
    ASSERT_TRUE(b.ask(at, "b" + std::to_string(i)));
  }
  std::set<std::string> peers;
  for (int i = 0; i < 100; ++i) {
    const auto request = next_request(*server);
    peers.insert(request.peer.routing_id);
    EXPECT_EQ(request.peer.routing_id.size(), 5u);
    EXPECT_EQ(server->reply(request.peer, bytes("re " + std::string(request.payload.text()))), SendResult::Sent);
  }
  EXPECT_EQ(peers.size(), 2u);
  ASSERT_TRUE(a.hears(50) && b.hears(50));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(a.answers[static_cast<std::size_t>(i)], "re a" + std::to_string(i));
    EXPECT_EQ(b.answers[static_cast<std::size_t>(i)], "re b" + std::to_string(i));
  }
}

SCENARIO(Control, RequestsWaitForAServer) {
  Zmq zmq;
  const std::string at = world::free_address();
  Asker asker(zmq);
  ASSERT_TRUE(asker.ask(at, "1"));
  ASSERT_TRUE(asker.ask(at, "2"));
  ASSERT_TRUE(world::until([&] {
    asker.turn();
    return asker.refused > 0;
  }));
  auto server = server_at(zmq, at);
  EXPECT_EQ(next_request(*server).payload.text(), "1");
  EXPECT_EQ(next_request(*server).payload.text(), "2");
}

SCENARIO(Control, AQueueToNobodyHasItsMark) {
  Zmq zmq;
  const std::string at = world::free_address();
  Asker asker(zmq);
  for (int i = 0; i < control_high_water_mark; ++i) EXPECT_TRUE(asker.ask(at, "x")) << i;
  const auto full = asker.client.send(at, bytes("x"), world::now());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::WouldBlock);
}

SCENARIO(Control, APeerThatIsGoneIsUnreachable) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  auto asker = std::make_unique<Asker>(zmq);
  ASSERT_TRUE(asker->ask(at, "x"));
  const auto request = next_request(*server);
  EXPECT_EQ(server->reply(request.peer, bytes("y")), SendResult::Sent);
  asker.reset();

  EXPECT_TRUE(world::until([&] {
    server->recv();
    return server->reply(request.peer, bytes("y")) == SendResult::Unreachable;
  }));
  EXPECT_EQ(server->reply({.routing_id = "nobody"}, bytes("y")), SendResult::Unreachable);
  EXPECT_EQ(server->counters().replies_unreachable, 2u);
}

SCENARIO(Control, APeerThatDoesNotReadIsFullAndNobodyElse) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  Asker stalled(zmq), healthy(zmq);
  ASSERT_TRUE(stalled.ask(at, "stalled"));
  const auto deaf = next_request(*server);
  ASSERT_TRUE(healthy.ask(at, "healthy"));
  const auto good = next_request(*server);
  const std::string large(100'000, 'x');
  ASSERT_TRUE(world::until([&] {
    for (int i = 0; i < 20; ++i) server->reply(deaf.peer, bytes(large));
    return server->counters().replies_full > 0;
  }));

  EXPECT_EQ(server->reply(good.peer, bytes("good")), SendResult::Sent);
  EXPECT_TRUE(healthy.hears(1));

  // Reading makes room.
  EXPECT_TRUE(world::until([&] {
    stalled.turn();
    server->recv();
    return server->reply(deaf.peer, bytes("again")) == SendResult::Sent;
  }));
  EXPECT_TRUE(world::until([&] {
    stalled.turn();
    return !stalled.answers.empty() && stalled.answers.back() == "again";
  }));
}

SCENARIO(Control, AConnectionThatComesBackIsAnotherPeer) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  Asker asker(zmq);
  ASSERT_TRUE(asker.ask(at, "1"));
  const auto before = next_request(*server).peer;
  asker.client.close(at);
  ASSERT_TRUE(asker.ask(at, "2"));
  const auto after = next_request(*server).peer;
  EXPECT_NE(before.routing_id, after.routing_id);
}

SCENARIO(Control, ALostServerIsTold) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  Asker asker(zmq);
  ASSERT_TRUE(asker.ask(at, "x"));
  const auto request = next_request(*server);
  server->reply(request.peer, bytes("last words"));
  server.reset();

  EXPECT_TRUE(world::until([&] {
    asker.turn();
    return asker.lost > 0;
  }));
  EXPECT_EQ(asker.answers, Texts{"last words"});
  EXPECT_FALSE(asker.client.has_link(at));
}

SCENARIO(Control, WhatWasQueuedIsSentBehindAClose) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  {
    Asker asker(zmq, {.linger_ms = 5000});
    for (int i = 0; i < 90; ++i) ASSERT_TRUE(asker.ask(at, std::to_string(i)));
  }
  for (int i = 0; i < 90; ++i) EXPECT_EQ(next_request(*server).payload.text(), std::to_string(i));
}

SCENARIO(Control, LastRequestsOfAPeerThatWentAreRead) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  auto asker = std::make_unique<Asker>(zmq);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(asker->ask(at, std::to_string(i)));
  asker.reset();
  events_until(*server, MonitorEventKind::Disconnected);

  for (int i = 0; i < 20; ++i) EXPECT_EQ(next_request(*server).payload.text(), std::to_string(i));
}

SCENARIO(Control, PeersTakeTurns) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto server = server_at(zmq, at);
  Asker loud(zmq), quiet(zmq);
  ASSERT_TRUE(quiet.ask(at, "hello"));
  next_request(*server);
  for (int i = 0; i < control_high_water_mark; ++i) ASSERT_TRUE(loud.ask(at, "loud"));
  next_request(*server);
  ASSERT_TRUE(quiet.ask(at, "quiet"));
  int before = 0;
  EXPECT_TRUE(world::until([&] {
    auto request = server->recv();
    if (!request) return false;
    before += request->payload.text() == "loud" ? 1 : 0;
    return request->payload.text() == "quiet";
  }));
  EXPECT_LT(before, control_high_water_mark - 1);
}

}  // namespace
}  // namespace legion::conformance
