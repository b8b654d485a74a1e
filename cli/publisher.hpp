// Hands events to a node's control port, in order, and says what became of each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/limits.hpp>
#include <legion/cli/world.hpp>
#include <legion/event/event.hpp>
#include <legion/event/json.hpp>

namespace legion::cli {

/// The CloudEvent map of the `publish` call; what the event does not say is left to the node.
Bytes encode_for_publish(const IncomingEvent& incoming);

/// What became of one event. `status` as the node answers ("queued", "refused", ...).
struct Published {
  std::uint64_t line = 0;
  std::string status;
  std::string id;
  std::string detail;
  bool confirmed = false;  ///< only where a confirm was asked for
  bool accepted() const { return status == "queued"; }
};

/// How a Publisher calls.
struct PublisherOptions {
  Duration timeout = 5s;
  enum class Answer : std::uint8_t { Numbered, Confirmed } answer = Answer::Numbered;
  std::string replay_to{};  ///< not empty: the call is `replay`, to "mesh" or a "node/agent"
};

/// Collects events into calls of at most `events_max` events and `bytes_max` bytes, one call at a time. A node whose queue
/// is full is asked again, with back-off, until it has accepted nothing for `timeout`; later events of the call wait for
/// that, so that order is kept. A call for confirms is told by when it has to be answered. An event that no call has room for is reported as too_big without asking.
class Publisher {
 public:
  static constexpr std::size_t events_max = 500;
  static constexpr std::size_t bytes_max = 768 * 1024;
  /// Of one event: with what a call puts around it, it fits into a control message.
  static constexpr std::size_t event_bytes_max = limits::event_bytes_max + 2048;

  using Report = std::function<void(const Published&)>;
  Publisher(World& world, NodeConnection& node, PublisherOptions options, Report report);

  /// Sends what was collected first when the event does not fit beside it. Errors: as the call.
  Result<void> add(std::uint64_t line, Bytes event);
  /// Sends what was collected. Errors: as the call, and Closed from a node that shuts down; what is left is then not known
  /// to be published.
  Result<void> flush();
  std::size_t collected() const { return events_.size(); }
  /// The line of the first event that nothing was reported of; 0 without one.
  std::uint64_t first_unknown() const { return events_.empty() ? 0 : events_.front().line; }

 private:
  struct Item {
    std::uint64_t line;
    Bytes event;
  };
  Result<std::vector<Published>> call() const;
  Bytes params() const;

  World& world_;
  NodeConnection& node_;
  PublisherOptions options_;
  Report report_;
  std::vector<Item> events_;
  std::size_t bytes_ = 0;
};

}  // namespace legion::cli
