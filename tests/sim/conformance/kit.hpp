// What scenarios are told with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/lane_publisher.hpp>
#include <legion/transport/lane_subscriber.hpp>
#include <legion/transport/zap_server.hpp>

#include "world.hpp"

namespace legion::conformance {

using namespace legion::transport;  // NOLINT: this folder is about nothing else

inline BytesView bytes(std::string_view text) { return as_bytes_view(text); }

/// A ZeroMQ context with a ZAP handler, as every node has. Outlives the sockets that are opened in it.
struct Zmq {
  Zmq() : context(Context::create().value()), zap(ZapServer::start(*context).value()) {}

  /// Bound; a former owner of the address may still be leaving.
  std::unique_ptr<LanePublisher> publisher(const std::string& at, std::size_t lane = 2,
                                           LanePublisherOptions options = {}) {
    auto made = LanePublisher::create(*context, lane, options).value();
    EXPECT_TRUE(world::until([&] { return made->bind(at).has_value(); }));
    return made;
  }
  std::unique_ptr<LaneSubscriber> subscriber(std::size_t lane = 2, LaneSubscriberOptions options = {}) {
    return LaneSubscriber::create(*context, lane, options).value();
  }
  /// Connected and subscribed.
  std::unique_ptr<LaneSubscriber> subscriber_of(const std::string& at, const std::vector<std::string>& topics,
                                                LaneSubscriberOptions options = {}) {
    auto made = subscriber(2, options);
    EXPECT_TRUE(made->connect(at));
    for (const auto& topic : topics) EXPECT_TRUE(made->subscribe(topic));
    return made;
  }

  std::unique_ptr<Context> context;
  std::unique_ptr<ZapServer> zap;
};

/// "+topic" and "-topic", as reported until now.
inline void take_reports(LanePublisher& publisher, std::vector<std::string>& into) {
  publisher.recv_subscriptions(
      [&](SubscriptionChange change, std::string_view topic) {
        into.push_back((change == SubscriptionChange::Added ? "+" : "-") + std::string(topic));
      },
      100000);
}

/// Reads reports until `last` is among them; all of them.
inline std::vector<std::string> reports_until(LanePublisher& publisher, const std::string& last) {
  std::vector<std::string> reports;
  EXPECT_TRUE(world::until([&] {
    take_reports(publisher, reports);
    return std::find(reports.begin(), reports.end(), last) != reports.end();
  })) << last;
  return reports;
}

inline void take_frames(LaneSubscriber& subscriber, std::vector<std::string>& into) {
  while (auto frame = subscriber.recv()) into.emplace_back(frame->text());
}

/// Reads frames until `last` came; all of them.
inline std::vector<std::string> frames_until(LaneSubscriber& subscriber, const std::string& last) {
  std::vector<std::string> frames;
  EXPECT_TRUE(world::until([&] {
    take_frames(subscriber, frames);
    return std::find(frames.begin(), frames.end(), last) != frames.end();
  })) << last;
  return frames;
}

/// The events of a monitor, in order.
template <class Monitored>
void take_events(Monitored& monitored, std::vector<MonitorEvent>& into) {
  monitored.drain_monitor([&](const MonitorEvent& event) { into.push_back(event); });
}

template <class Monitored>
std::vector<MonitorEvent> events_until(Monitored& monitored, MonitorEventKind last) {
  std::vector<MonitorEvent> events;
  EXPECT_TRUE(world::until([&] {
    take_events(monitored, events);
    return std::any_of(events.begin(), events.end(), [&](const MonitorEvent& event) { return event.kind == last; });
  })) << to_string(last);
  return events;
}

inline std::vector<std::string> names(const std::vector<MonitorEvent>& events) {
  std::vector<std::string> all;
  for (const MonitorEvent& event : events) all.emplace_back(to_string(event.kind));
  return all;
}

/// Up to `count` of them.
template <class T>
std::vector<T> first(std::vector<T> all, std::size_t count) {
  if (all.size() > count) all.resize(count);
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace legion::conformance
