// Two processes on two hosts, for the tests of the simulated network.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <legion/transport/lane_publisher.hpp>
#include <legion/transport/lane_subscriber.hpp>
#include <legion/transport/zap_server.hpp>

#include "kernel/kernel.hpp"
#include "zmq/network.hpp"

namespace legion::sim::test {

using namespace legion::transport;  // NOLINT

inline constexpr const char* a = "10.0.0.1";
inline constexpr const char* b = "10.0.0.2";
inline constexpr const char* at = "tcp://10.0.0.1:7400";

struct Zmq {
  Zmq() : context(transport::Context::create().value()), zap(ZapServer::start(*context).value()) {}
  std::unique_ptr<transport::Context> context;
  std::unique_ptr<ZapServer> zap;
};

/// A publisher on host a that sends a number every 10 ms, and a subscriber on host b.
class NetworkTest : public testing::Test {
 protected:
  NetworkTest() {
    kernel.reset(11);
    network.reset();
  }

  void publish(std::size_t bytes = 16, Duration interval = 10ms) {
    publisher = kernel.spawn("publisher", [this, bytes, interval] {
      network.place(*kernel.current(), a);
      Zmq zmq;
      auto sender = LanePublisher::create(*zmq.context, 2).value();
      if (!sender->bind(at)) return;
      while (true) {
        sender->recv_subscriptions([&](SubscriptionChange, std::string_view) {}, 1000);
        sender->drain_monitor([&](const MonitorEvent& event) { publisher_events.push_back(event.kind); });
        std::string text = std::to_string(sent++);
        text.insert(0, "a" + std::string(8 - text.size(), '0'));
        text.resize(std::max(text.size(), bytes), ' ');
        sender->send(as_bytes_view(text));
        slow = sender->counters().slow_peer;
        kernel.sleep(interval);
      }
    });
  }
  void subscribe() {
    subscriber = kernel.spawn("subscriber", [this] {
      network.place(*kernel.current(), b);
      Zmq zmq;
      auto receiver = LaneSubscriber::create(*zmq.context, 2).value();
      if (!receiver->connect(at) || !receiver->subscribe("a")) return;
      for (int topic = 0;; ++topic) {
        if (talks_back && !receiver->subscribe("topic" + std::to_string(topic))) return;
        receiver->drain_monitor([&](const MonitorEvent& event) { events.push_back(event.kind); });
        while (auto frame = receiver->recv()) got.push_back(std::stoi(std::string(frame->text().substr(1, 8))));
        kernel.sleep(5ms);
      }
    });
  }
  void run(Duration how_long) { kernel.run_until(kernel.now() + how_long); }
  std::size_t count(const std::vector<MonitorEventKind>& in, MonitorEventKind kind) const {
    return static_cast<std::size_t>(std::ranges::count(in, kind));
  }
  /// Everything that was got is in order, once, and nothing is missing in between.
  bool has_no_gap() const {
    for (std::size_t i = 1; i < got.size(); ++i) {
      if (got[i] != got[i - 1] + 1) return false;
    }
    return true;
  }
  bool in_order() const { return std::ranges::is_sorted(got) && std::ranges::adjacent_find(got) == got.end(); }
  void block_both() {
    network.block(a, b);
    network.block(b, a);
  }
  void unblock_both() {
    network.unblock(a, b);
    network.unblock(b, a);
  }

  Kernel& kernel = Kernel::get();
  Network& network = Network::get();
  std::shared_ptr<Process> publisher, subscriber;
  std::vector<MonitorEventKind> events, publisher_events;
  std::vector<int> got;
  int sent = 0;
  bool talks_back = false;  // the subscriber subscribes to something new all the time
  std::uint64_t slow = 0;
};

}  // namespace legion::sim::test
