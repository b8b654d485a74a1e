// Where stock ZeroMQ programs of the same host publish and subscribe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/transport/directory_lock.hpp>
#include <legion/transport/lane_settings.hpp>
#include <legion/transport/monitor.hpp>
#include <legion/transport/xpub.hpp>

namespace legion::transport {

struct LocalPairOptions {
  std::string directory;  ///< made with mode 0700 when absent; must belong to this user
  int high_water_mark = 1000;
};

/// An XSUB and an XPUB bound to `publish.sock` and `subscribe.sock` in a directory of our own, which a lock file keeps
/// other processes from taking over: ZeroMQ itself would let a second bind steal the path.
/// Thread: one owner. Bounds: `high_water_mark` messages per publisher and per subscriber; parts of a published message
/// beyond parts_kept_max are dropped while reading.
class LocalPair {
 public:
  /// Enough to see that a message has more parts than it may have.
  static constexpr std::size_t parts_kept_max = 8;
  static constexpr std::size_t path_bytes_max = 107;

  /// Errors: AddressInUse (another process holds the directory), TooBig (path), Refused (the directory belongs to
  /// another user), Io.
  static Result<std::unique_ptr<LocalPair>> create(Context& context, const LocalPairOptions& options);
  ~LocalPair();

  /// Reads at most `messages_max` published messages of any number of parts. `parts` has 1 to parts_kept_max messages,
  /// which the report may move from.
  std::size_t recv_published(const std::function<void(std::span<Message> parts)>& report, std::size_t messages_max);

  /// To the local subscribers: topic, NUL and the rest in one part.
  PublishOutcome send(BytesView frame) { return xpub_.send(frame); }
  /// The same without copying.
  PublishOutcome send(const Message& frame) { return xpub_.send(frame); }
  /// As LanePublisher::recv_subscriptions.
  std::size_t recv_subscriptions(const SubscriptionReport& report, std::size_t parts_max) {
    return xpub_.read_upstream(report, parts_max);
  }

  const std::string& publish_uri() const { return publish_uri_; }  ///< PUB sockets connect here
  const std::string& subscribe_uri() const { return subscribe_uri_; }  ///< SUB sockets connect here
  const PublisherCounters& counters() const { return xpub_.counters(); }
  std::vector<Pollable> pollables() const { return {xsub_.pollable(), xpub_.socket().pollable()}; }

 private:
  LocalPair(DirectoryLock lock, Socket xsub, Xpub xpub)
      : lock_(std::move(lock)), xsub_(std::move(xsub)), xpub_(std::move(xpub)) {}

  DirectoryLock lock_;  // before the sockets, so that it goes last
  Socket xsub_;
  Xpub xpub_;
  std::string publish_uri_;
  std::string subscribe_uri_;
  std::vector<Message> parts_;
};

}  // namespace legion::transport
