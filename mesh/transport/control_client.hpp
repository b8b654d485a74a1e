// Asks other nodes: one connection per address, made when needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/transport/lane_settings.hpp>
#include <legion/transport/monitor.hpp>

namespace legion::transport {

struct ControlClientOptions {
  Duration redial_max = 2s;
  Duration connect_timeout = std::chrono::milliseconds(connect_timeout_ms);
  Duration idle_limit = 15s;   ///< a link costs two sockets here and one descriptor at each end
  std::size_t links_max = 4096;
  int linger_ms = 200;
  std::uint64_t affinity = affinity_urgent;
};

struct ControlClientReports {
  /// An answer, or whatever the other side sent.
  std::function<void(const std::string& address, Message payload)> on_message;
  /// A connect attempt failed (refused, unreachable, timed out). What was sent stays queued and ZeroMQ goes on trying:
  /// close(address) gives up.
  std::function<void(const std::string& address)> on_refused;
  /// A connection was lost or its handshake failed. Answers that are still missing will not come; the link is closed
  /// and the next send() makes a new one.
  std::function<void(const std::string& address)> on_lost;
};

/// A set of DEALERs.
/// Thread: one owner. Order: FIFO per address while its link lasts. Bounds: `links_max` links, control_high_water_mark
/// messages each. Errors: an address that cannot be dialled is the caller's to judge, by on_refused and its own
/// deadline. Reports may call send() and close().
class ControlClient {
 public:
  explicit ControlClient(Context& context, ControlClientOptions options = {}) : context_(context), options_(options) {}

  /// Queues `payload` for `address` ("tcp://10.0.0.5:7400", numeric). Errors: WouldBlock (queue full, or links_max),
  /// InvalidArgument, Closed, Io.
  Result<void> send(const std::string& address, BytesView payload, SteadyTime now);
  /// What is queued is sent for up to linger_ms more when connected, else dropped; answers are not waited for.
  void close(const std::string& address);
  /// Closes links that were not used for idle_limit.
  void close_idle(SteadyTime now);

  /// Reads at most `messages_max` messages and all connection news. Returns the number of messages.
  std::size_t recv(const ControlClientReports& reports, SteadyTime now, std::size_t messages_max);

  bool has_link(std::string_view address) const { return links_.contains(address); }
  std::size_t links() const { return links_.size(); }
  std::uint64_t malformed() const { return malformed_; }
  /// All links, those to come included, are waited for in `poller`, which lives as long as links are opened.
  void watch(Poller& poller);
  /// recv() may find something. Costs one look per link.
  bool may_have_input() const;

 private:
  enum class Attempt : std::uint8_t { Dialling, Reported, Connected };
  struct Link {
    explicit Link(Socket s) : socket(std::move(s)) {}
    Socket socket;
    std::unique_ptr<Monitor> monitor;  // after the socket, so that it goes first
    SteadyTime last_used;
    Attempt attempt = Attempt::Dialling;
  };
  struct News {
    bool refused = false;
    bool lost = false;
  };

  Result<Link*> open(const std::string& address);
  static void watch(Poller& poller, const Link& link);
  News read_news(Link& link);
  std::size_t read_messages(const std::string& address, const ControlClientReports& reports, SteadyTime now,
                            std::size_t messages_max);

  Context& context_;
  Poller* poller_ = nullptr;
  const ControlClientOptions options_;
  std::map<std::string, std::unique_ptr<Link>, std::less<>> links_;
  std::string next_served_;  // the link that is read first next time, so that none starves
  std::uint64_t malformed_ = 0;
};

}  // namespace legion::transport
