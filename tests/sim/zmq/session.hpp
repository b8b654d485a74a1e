// One connection of a socket as ZeroMQ manages it: dialling again and again, or accepted once; handshake; moving
// messages between pipe and TCP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <legion/base/time.hpp>

#include "options.hpp"
#include "pipe.hpp"
#include "stream.hpp"

namespace legion::sim {

class Connection;
class Context;
class Socket;

enum class TimerKind : std::uint8_t { Reconnect, ConnectTimeout, Handshake, Linger };

/// Thread: the I/O thread, which is the scheduler; close() and dial() also the owner of the socket.
/// Ownership: the network's, by id, so that timers find it gone.
class Session {
 public:
  enum class Role : std::uint8_t { Connecter, Accepted };
  Session(std::uint64_t id, Socket& socket, Role role, std::string endpoint);

  std::uint64_t id() const { return id_; }
  bool belongs_to(const Socket& socket) const { return socket_ == &socket; }
  const std::string& endpoint() const { return endpoint_; }
  Context& context() { return context_; }
  const Options& options() const { return options_; }
  int socket_type() const { return socket_type_; }
  Connection* connection() { return connection_; }
  std::size_t waiting_output() const { return pipe_ != nullptr ? pipe_->waiting_output() : lingering_.size(); }

  std::size_t waiting_input() const { return pipe_ != nullptr ? pipe_->in.size() : 0; }

  void own_pipe(Pipe& pipe) { pipe_ = &pipe; }
  /// A connecter begins an attempt.
  void dial();
  /// TCP says no to this attempt.
  void on_refused();
  /// TCP is up. Of a connecter: the attempt succeeded; of an accepted one: its first event.
  void on_connection(Connection& connection);
  /// Whether an answer to `attempt` is still waited for.
  bool is_dialling(std::uint32_t attempt) const { return state_ == State::Dialling && attempt_ == attempt; }
  void on_timer(TimerKind kind, std::uint32_t attempt);
  /// The ZAP handler's answer, "200" and the like.
  void on_zap_status(int status);

  /// The owner wrote something, or read enough to make room.
  void on_output();
  void on_room();
  /// What the I/O thread does with it when it is its turn.
  void turn();
  /// Something arrived, or the connection ended.
  void take_in();
  void put_out();

  /// By the owner: the socket is closed. What is to be sent goes on for `linger_ms` (-1: for ever).
  void close(int linger_ms);
  /// By the owner: zmq_disconnect(). As close(), but the connection ends only once the owner has touched the socket
  /// again after that.
  void leave(int linger_ms);
  void end();
  /// The process died.
  void die();

 private:
  friend class Context;
  enum class State : std::uint8_t { Waiting, Dialling, Handshaking, Up, GivenUp };
  enum class Loss : std::uint8_t { Connection, Protocol };

  void retry_later();
  void report(std::uint16_t event, std::int32_t value);
  void take_handshake(SegmentKind kind);
  void ask_zap();
  void answer_ready();
  void come_up();
  bool speaks_with_us(int type) const;
  enum class Taken : std::uint8_t { Nothing, Data, Connection };
  Taken take_one();
  void lose(Loss loss);
  void fail_handshake(std::uint16_t event, std::int32_t value);
  void end_handshake();
  void let_pipe_go();
  void start_timer(TimerKind kind, int ms);
  void finish_if_done();
  void ask_to_end();
  void retire();

  const std::uint64_t id_;
  Socket* socket_;         // null: closed, and this one lingers
  Context& context_;
  const Options options_;  // as they were then
  const int socket_type_;
  const Role role_;
  const std::string endpoint_;
  State state_ = State::Waiting;
  Pipe* pipe_ = nullptr;
  Ring<Msg> lingering_;    // once there is no pipe
  Connection* connection_ = nullptr;
  int fd_ = -1;
  std::uint32_t attempt_ = 0;
  int reconnect_ms_;
  bool busy_ = false;      // the I/O thread will look at it
  bool leaving_ = false;   // closed by the owner; there is no pipe
  bool asked_to_end_ = false;
};

}  // namespace legion::sim
