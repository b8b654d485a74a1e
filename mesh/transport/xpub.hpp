// The sending half that LanePublisher and LocalPair share: drop instead of block, and read upstream safely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/transport/socket.hpp>

namespace legion::transport {

enum class SubscriptionChange : std::uint8_t { Added, Removed };

/// `topic` is valid during the call. Added is reported for the first peer that subscribes to a topic, Removed for the
/// last that goes.
using SubscriptionReport = std::function<void(SubscriptionChange change, std::string_view topic)>;

enum class PublishOutcome : std::uint8_t {
  Sent,      ///< to every subscriber that matches, which may be nobody
  SlowPeer,  ///< as Sent, but at least one matching peer's queue has just become full: it lost this message
  Closed     ///< the context was shut down
};

struct PublisherCounters {
  std::uint64_t sent = 0;
  std::uint64_t slow_peer = 0;          ///< transitions of a peer's queue to full, not messages lost
  std::uint64_t discarded_upstream = 0; ///< parts from peers that are no subscription
};

/// Thread: the owner of the socket.
class Xpub {
 public:
  /// Sets the options of an XPUB that has not been bound.
  static Result<Xpub> create(Socket socket);

  /// Costs next to nothing until read_upstream() has reported the first subscription ever: what is sent before may pass
  /// that subscriber by, as with any subscriber that comes late.
  PublishOutcome send(BytesView bytes);
  PublishOutcome send(const Message& message);
  /// Reads at most `parts_max` parts; returns how many it read. What is not read stays in memory without bound, so
  /// call it every turn until it returns less than `parts_max`.
  std::size_t read_upstream(const SubscriptionReport& report, std::size_t parts_max);

  /// read_upstream() may find something.
  bool may_have_input() const { return socket_.may_have_input(); }

  Socket& socket() { return socket_; }
  const Socket& socket() const { return socket_; }
  const PublisherCounters& counters() const { return counters_; }

 private:
  explicit Xpub(Socket socket) : socket_(std::move(socket)) {}
  template <class Body>
  PublishOutcome send_dropping(const Body& body);

  Socket socket_;
  PublisherCounters counters_;
  // Once true, always true: unsubscriptions are reported that had no subscription, so nothing can be counted.
  bool was_subscribed_to_ = false;
  More upstream_ = More::No;  // Yes: the next part belongs to a user message
};

}  // namespace legion::transport
