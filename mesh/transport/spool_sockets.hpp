// The sockets of the spool port: a ROUTER at the spool, a DEALER per spool at whoever talks to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/transport/lane_settings.hpp>
#include <legion/transport/message.hpp>
#include <legion/transport/monitor_event.hpp>
#include <legion/transport/poller.hpp>
#include <legion/transport/socket.hpp>

namespace legion::transport {

/// Largest part of a message to a spool: a record (`~record`) may be a little larger than other frames.
inline constexpr std::size_t spool_message_bytes_max = limits::event_bytes_max + (64u << 10);
/// Largest part of an answer: a connection that brings a larger one is closed.
inline constexpr std::size_t spool_answer_bytes_max = 32u << 20;
inline constexpr int spool_high_water_mark = 1000;  // messages per connection and direction
inline constexpr int spool_linger_ms = 500;

/// A message: a head, and a body where there is one. Never more.
struct SpoolParts {
  Message head;
  std::optional<Message> body;
};

struct SpoolRequest {
  std::string peer;  ///< routing id: of one connection, never used again
  SpoolParts parts;
};

struct SpoolServerOptions {
  int high_water_mark = spool_high_water_mark;
  int linger_ms = spool_linger_ms;
  std::uint64_t affinity = affinity_bulk;
};

struct SpoolServerCounters {
  std::uint64_t malformed = 0;            ///< messages without a head, or with more than two parts
  std::uint64_t replies_unreachable = 0;  ///< the asker has gone
  std::uint64_t replies_full = 0;         ///< the asker does not read
};

/// A ROUTER that binds (MANDATORY, no handover: a connection cannot take another's routing id).
/// Thread: one owner. Order: FIFO per peer; peers take turns. Bounds: `high_water_mark` messages of at most
/// spool_message_bytes_max a part per peer coming in; going out as many, where the owner sees to it that a peer has no
/// more queued_bytes() than it likes. A peer that does not read its answers loses them (it asks again).
class SpoolServer {
 public:
  static Result<std::unique_ptr<SpoolServer>> create(Context& context, SpoolServerOptions options = {});
  ~SpoolServer();

  /// The endpoint as bound. Errors: AddressInUse, InvalidArgument, Io.
  Result<std::string> bind(const std::string& uri);

  /// The next message; nullopt when there is none. What is malformed is discarded and counted.
  std::optional<SpoolRequest> recv();
  /// recv() may find something.
  bool may_have_requests() const;
  /// Small parts are copied, others sent as they are: kept until ZeroMQ is done with them.
  /// Sent: handed over to ZeroMQ. Full and Unreachable are counted; the answer is dropped.
  SendResult reply(const std::string& peer, Bytes head, std::shared_ptr<const Bytes> body = nullptr);
  /// Bytes given to reply() for this peer that ZeroMQ has not sent yet, small parts excepted.
  std::uint64_t queued_bytes(const std::string& peer) const;

  /// Call every turn. Connections that end show in take_gone().
  std::size_t drain_monitor(const std::function<void(const MonitorEvent&)>& on_event);
  bool monitor_may_have_input() const;
  /// Peers whose connection has ended and of whom everything was read.
  std::vector<std::string> take_gone();

  const SpoolServerCounters& counters() const;
  /// The socket and, once bound, its monitor.
  std::vector<Pollable> pollables() const;

 private:
  struct State;
  explicit SpoolServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct SpoolClientOptions {
  Duration redial_max = 2s;
  Duration connect_timeout = std::chrono::milliseconds(connect_timeout_ms);
  int high_water_mark = spool_high_water_mark;
  int linger_ms = spool_linger_ms;
  std::uint64_t affinity = affinity_bulk;
};

/// Connects to one spool and keeps trying. What was sent and not received when a connection ends is lost, never sent
/// again behind the owner's back.
/// Thread: one owner. Order: FIFO while the connection lasts. Bounds: `high_water_mark` messages in each direction.
class SpoolClient {
 public:
  /// `uri` is numeric. Errors: InvalidArgument, Io.
  static Result<std::unique_ptr<SpoolClient>> connect(Context& context, const std::string& uri,
                                                      SpoolClientOptions options = {});
  ~SpoolClient();

  /// False: there is no connection, or its queue is full. Small bodies are copied, others sent as they are.
  bool send(BytesView head, const std::shared_ptr<const Bytes>& body = nullptr);
  /// The next message. What came before a connection ended is still given, behind the news of it.
  std::optional<SpoolParts> recv();
  /// on_turn() or recv() may find something.
  bool may_have_input() const;

  /// Takes in what became of the connection, and dials again when it is time. Call it every turn.
  void on_turn(SteadyTime now);
  enum class News : std::uint8_t { Up, Down };
  /// Since the last call, in order. A Down is always told before anything is sent over the next connection.
  std::vector<News> take_news();
  bool up() const;
  /// Attempts that failed (refused, timed out, handshake) since there was a connection last.
  std::uint64_t failed_attempts() const;

  const std::string& uri() const;
  std::uint64_t malformed() const;
  /// The same ones for the client's whole life.
  std::vector<Pollable> pollables() const;

 private:
  struct State;
  explicit SpoolClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace legion::transport
