// A TCP connection between two simulated hosts, with what the kernels at both ends do on their own.
#pragma once

#include <cstdint>
#include <optional>

#include <legion/base/time.hpp>

#include "stream.hpp"
#include "tcp_uri.hpp"

namespace legion::sim {

struct Host;
struct Link;
struct Options;
class Session;
class Socket;

/// Side 0 dialled, side 1 was dialled.
/// Time-outs: a side that hears nothing notices by TCP_USER_TIMEOUT when it has sent something, by keep-alive when it
/// has not, and by TCP_USER_TIMEOUT when the other kernel takes nothing for so long (its process reads nothing).
/// Ownership: the network's, by id.
class Connection {
 public:
  struct Ends {
    Host* from;
    Host* to;
  };
  Connection(std::uint64_t id, Ends ends, Session& dialled, Socket& listener, TcpUri uri);

  std::uint64_t id() const { return id_; }
  Stream& from(int side) { return streams_[side]; }
  Stream& towards(int side) { return streams_[1 - side]; }
  Host& host(int side) { return *sides_[side].host; }
  Session* session(int side) { return sides_[side].session; }
  int side_of(const Session& session) const { return sides_[0].session == &session ? 0 : 1; }
  /// In the backlog of a listener whose I/O thread has not looked yet; null: accepted, or the listener is closed.
  Socket* listener() { return listener_; }
  /// As the dialling side called it.
  const TcpUri& uri() const { return uri_; }
  int dialler_type() const { return dialler_type_; }
  int accepted_type() const { return accepted_type_; }

  void attach(int side, Session& session);
  /// It is destroyed.
  void forget(const Session& session);
  /// Segments for this side have arrived.
  void deliver(int side);
  /// By the sender: there was no room.
  void on_stall(int side);
  /// By the receiver: there is room again.
  void on_taken(int side);

  /// The socket of this side was closed: what it sent still arrives.
  void close(int side);
  /// Its process was killed: some of what it sent last may not arrive.
  void abort(int side);
  /// Its host lost power: nobody is told.
  void vanish(int side);
  /// Both sides see it end, now.
  void reset();
  /// The listener was closed before it accepted this.
  void refuse(bool silently);

  bool path_broken() const { return broken_since_.has_value(); }
  /// The way is free again, and the sender's kernel does not know it yet.
  bool holds_back() const;
  /// Links between the hosts were blocked, clogged or opened.
  void on_path_change();
  /// The link from this host has a higher capacity than before.
  void on_faster_link(const Host& from);
  /// A sender's kernel tries again.
  void kick();
  /// Something is on its way without being acknowledged.
  void on_unacknowledged(int side);
  void check(int side);

 private:
  struct Side {
    Host* host = nullptr;
    Session* session = nullptr;
    bool alive = true;       // its kernel knows the connection
    bool told = false;       // it was sent the end of it
    SteadyTime heard_at{};
    std::optional<SteadyTime> unacknowledged_since;
    int user_timeout_ms = 0;
    int keepalive_ms = 0;    // until a silent peer is given up; 0: never
    int keepalive_idle_ms = 0;
  };
  void take_timeouts(int side, const Options& options);
  void discard(int side);
  void check_later(int side, Duration delay);
  void time_out(int side);
  void forget_if_over();
  SteadyTime next_retransmission() const;

  const std::uint64_t id_;
  Stream streams_[2];
  Side sides_[2];
  Socket* listener_;
  const TcpUri uri_;
  const int dialler_type_;
  const int accepted_type_;
  std::optional<SteadyTime> broken_since_;
  bool was_blocked_ = false;          // since then, and not only clogged
  SteadyTime held_back_until_{};
};

}  // namespace legion::sim
