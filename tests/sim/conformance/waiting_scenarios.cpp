// Descriptors, flags and the poller: who sleeps is woken, and nothing is missed.
#include <thread>

#include <legion/transport/poller.hpp>
#include <legion/transport/wake_fd.hpp>

#include "kit.hpp"

namespace legion::conformance {
namespace {

SCENARIO(Waiting, AFrameWakesAndReadingToTheEndLowersTheFlag) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  auto poller = Poller::create().value();
  poller->add(receiver->pollables());
  const auto read_all = [&] {
    Texts got;
    take_frames(*receiver, got);
    receiver->drain_monitor([](const MonitorEvent&) {});
    return got;
  };
  read_all();
  ASSERT_TRUE(world::until([&] {
    read_all();
    return !poller->has_input();
  }));

  for (const auto* frame : {"a1", "a2", "a3"}) sender->send(bytes(frame));
  Texts got;
  while (got.size() < 3) {
    ASSERT_EQ(poller->wait(60s), PollOutcome::Ready);
    for (auto& frame : read_all()) got.push_back(std::move(frame));
  }
  EXPECT_EQ(got, (Texts{"a1", "a2", "a3"}));
  EXPECT_FALSE(receiver->may_have_input());
}

SCENARIO(Waiting, WhatOtherCallsTookInIsNotMissed) {
  constexpr int count = 300;
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  auto poller = Poller::create().value();
  poller->add(receiver->pollables());

  int got = 0;
  for (int i = 0; i < count; ++i) {
    sender->send(bytes("a"));
    // Calls that carry out commands: the descriptor alone would tell nothing afterwards.
    if (i % 3 == 0) receiver->process_commands();
    const bool subscribed = i % 3 != 1 || receiver->subscribe("topic" + std::to_string(i)).has_value();
    ASSERT_TRUE(subscribed);
    if (i % 7 == 0 && receiver->recv()) ++got;
  }
  while (got < count) {
    ASSERT_EQ(poller->wait(60s), PollOutcome::Ready) << got;
    while (receiver->recv()) ++got;
    receiver->drain_monitor([](const MonitorEvent&) {});
  }
  EXPECT_EQ(got, count);
}

SCENARIO(Waiting, AnotherThreadWakes) {
  auto wake = WakeFd::create().value();
  auto poller = Poller::create().value();
  const auto token = poller->add(wake.pollable());
  EXPECT_EQ(poller->wait(Duration{0}), PollOutcome::TimedOut);
  wake.announce_sleep();
  std::thread other([&] { wake.wake(); });
  EXPECT_EQ(poller->wait(60s), PollOutcome::Ready);
  EXPECT_TRUE(poller->ready(token));
  wake.awake();
  wake.drain();
  EXPECT_EQ(poller->wait(Duration{0}), PollOutcome::TimedOut);
  other.join();
}

SCENARIO(Waiting, AShutdownEndsEverything) {
  Zmq zmq;
  const std::string at = world::free_address();
  auto receiver = zmq.subscriber_of(at, {"a"});
  auto sender = zmq.publisher(at);
  reports_until(*sender, "+a");
  auto poller = Poller::create().value();
  poller->add(receiver->pollables());

  zmq.context->shutdown();

  EXPECT_EQ(sender->send(bytes("a")), PublishOutcome::Closed);
  EXPECT_FALSE(receiver->recv());
  EXPECT_FALSE(receiver->subscribe("b"));
  EXPECT_EQ(poller->wait(60s), PollOutcome::Closed);
}

}  // namespace
}  // namespace legion::conformance
