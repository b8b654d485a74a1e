// Processes that are killed or stopped: what their kernel does without them.
#include <legion/transport/control_client.hpp>
#include <legion/transport/control_server.hpp>

#include "kit.hpp"

namespace legion::conformance {
namespace {

/// Publishes "a" + number as long as it lives.
void publish_for_ever(const std::string& at) {
  Zmq zmq;
  auto sender = zmq.publisher(at);
  int number = 0;
  world::until([&] {
    Texts reports;
    take_reports(*sender, reports);
    sender->send(bytes("a" + std::to_string(number++)));
    return false;
  });
}

/// Answers every request with its text.
void answer_for_ever(const std::string& at) {
  Zmq zmq;
  auto server = ControlServer::create(*zmq.context).value();
  world::until([&] { return server->bind(at).has_value(); });
  world::until([&] {
    while (auto request = server->recv()) server->reply(request->peer, request->payload.bytes());
    return false;
  });
}

/// Subscribes, and reads.
void read_for_ever(const std::string& at) {
  Zmq zmq;
  auto receiver = zmq.subscriber_of(at, {"a"}, {.high_water_mark = 10, .kernel_buffer_bytes = 4096});
  world::until([&] {
    Texts got;
    take_frames(*receiver, got);
    return false;
  });
}

SCENARIO(Processes, AKilledPublisherIsNoticedAndItsSuccessorFound) {
  const std::string at = world::free_address();
  auto first_life = world::start([at] { publish_for_ever(at); });
  Zmq zmq;
  auto receiver = zmq.subscriber_of(at, {"a"});
  Texts got;
  ASSERT_TRUE(world::until([&] {
    take_frames(*receiver, got);
    return got.size() > 10;
  }));

  first_life->kill();
  events_until(*receiver, MonitorEventKind::Disconnected);
  take_frames(*receiver, got);
  for (std::size_t i = 1; i < got.size(); ++i) {  // a beginning of what it sent, without a gap
    EXPECT_EQ(std::stoi(got[i].substr(1)), std::stoi(got[i - 1].substr(1)) + 1);
  }

  auto successor = zmq.publisher(at);
  receiver->process_commands();
  reports_until(*successor, "+a");
  successor->send(bytes("a second life"));
  EXPECT_EQ(frames_until(*receiver, "a second life"), Texts{"a second life"});
}

SCENARIO(Processes, AServerThatIsStoppedAcceptsButDoesNotAnswer) {
  const std::string at = world::free_address();
  auto process = world::start([at] { answer_for_ever(at); });
  Zmq zmq;
  auto warm_up = zmq.subscriber();  // any socket with a monitor of our own
  ControlClient client(*zmq.context);
  Texts answers;
  int lost = 0;
  const auto turn = [&] {
    client.recv({.on_message = [&](const std::string&, Message text) { answers.emplace_back(text.text()); },
                 .on_refused = [](const std::string&) {},
                 .on_lost = [&](const std::string&) { ++lost; }},
                world::now(), 100);
  };
  ASSERT_TRUE(client.send(at, bytes("1"), world::now()));
  ASSERT_TRUE(world::until([&] {
    turn();
    return answers.size() == 1;
  }));

  process->stop();
  // A new connection gets as far as its kernel: connected, but no handshake.
  ASSERT_TRUE(warm_up->connect(at));
  const auto events = events_until(*warm_up, MonitorEventKind::HandshakeFailed);
  EXPECT_EQ(first(names(events), 3), (Texts{"connect_delayed", "connected", "handshake_failed"}));
  // On the old one requests are taken, and answered later.
  ASSERT_TRUE(client.send(at, bytes("2"), world::now()));
  turn();
  EXPECT_EQ(answers.size(), 1u);
  process->go_on();
  ASSERT_TRUE(world::until([&] {
    turn();
    return answers.size() == 2;
  }));
  EXPECT_EQ(answers, (Texts{"1", "2"}));
  EXPECT_EQ(lost, 0);
}

SCENARIO(Processes, AStoppedReaderFillsUpAndGoesOn) {
  const std::string at = world::free_address();
  auto process = world::start([at] { read_for_ever(at); });
  Zmq zmq;
  auto sender = zmq.publisher(at, 2, {.high_water_mark = 100, .kernel_buffer_bytes = 64 * 1024});
  reports_until(*sender, "+a");
  const std::string frame = "a" + std::string(1024, 'x');

  process->stop();
  ASSERT_TRUE(world::until([&] {
    for (int i = 0; i < 50; ++i) sender->send(bytes(frame));
    return sender->counters().slow_peer > 0;
  }));
  const auto told = sender->counters().slow_peer;
  process->go_on();

  // There is room again, so that it can be filled again.
  process->stop();
  process->go_on();
  EXPECT_TRUE(world::until([&] {
    for (int i = 0; i < 200; ++i) sender->send(bytes(frame));
    return sender->counters().slow_peer > told;
  }));
}

SCENARIO(Processes, AKilledReaderLeavesNothingBehind) {
  const std::string at = world::free_address();
  auto process = world::start([at] { read_for_ever(at); });
  Zmq zmq;
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  process->kill();
  EXPECT_EQ(reports_until(*sender, "-a"), Texts{"-a"});
  EXPECT_EQ(sender->send(bytes("a")), PublishOutcome::Sent);
}

}  // namespace
}  // namespace legion::conformance
