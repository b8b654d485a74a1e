// The ipc pair: what stock ZeroMQ programs of this host publish and hear. docs/protocol.md, "Local pair".
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <legion/base/log.hpp>
#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/stats.hpp>
#include <legion/transport/local_pair.hpp>

namespace legion {

/// Thread: the loop's. Bounds: a number of messages per turn; slow subscribers lose, nobody waits.
/// Errors: what is published wrong costs that message and is counted as refused_<reason>.
class LocalBus {
 public:
  LocalBus(std::unique_ptr<transport::LocalPair> pair, Intake& intake, LogSink log);

  /// A program began or ceased to want this: to be passed upstream.
  std::function<void(const Filter& filter, transport::SubscriptionChange change)> on_interest;

  void on_turn(Now now);
  /// Some program of this host subscribes to this type.
  bool wanted(std::string_view type) const;
  void on_event(const EventPtr& event);
  /// What is wanted now, one filter per subscribed topic.
  std::vector<Filter> interests() const;

  std::vector<transport::Pollable> pollables() const { return pair_->pollables(); }
  const NamedCounts& counts() const { return counts_; }

 private:
  void on_published(Now now, std::span<transport::Message> parts);
  void on_subscription(transport::SubscriptionChange change, std::string_view topic);

  std::unique_ptr<transport::LocalPair> pair_;
  Intake& intake_;
  LogSink log_;
  NamedCounts counts_;
  std::map<std::string, Filter, std::less<>> interests_;  // by the topic as subscribed
};

}  // namespace legion
