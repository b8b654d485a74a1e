#include "session.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "context.hpp"
#include "network.hpp"

namespace legion::sim {

Session::Session(std::uint64_t id, Socket& socket, Role role, std::string endpoint)
    : id_(id),
      socket_(&socket),
      context_(socket.context()),
      options_(socket.options()),
      socket_type_(socket.type()),
      role_(role),
      endpoint_(std::move(endpoint)),
      reconnect_ms_(options_.reconnect_ms) {}

void Session::report(std::uint16_t event, std::int32_t value) {
  if (socket_ != nullptr) socket_->report(event, value, endpoint_);
}

void Session::start_timer(TimerKind kind, int ms) {
  if (ms <= 0) return;
  Kernel::get().after(std::chrono::milliseconds(ms), [id = id_, attempt = attempt_, kind] {
    if (Session* session = Network::get().session(id)) session->on_timer(kind, attempt);
  });
}

void Session::dial() {
  state_ = State::Dialling;
  ++attempt_;
  fd_ = context_.take_fd();
  report(ZMQ_EVENT_CONNECT_DELAYED, EINPROGRESS);
  start_timer(TimerKind::ConnectTimeout, options_.connect_timeout_ms);
  Network::get().dial(id_, attempt_, 0);
}

void Session::on_refused() {
  report(ZMQ_EVENT_CLOSED, fd_);
  context_.give_back_fd(std::exchange(fd_, -1));
  retry_later();
}

// As libzmq's connecter: the interval doubles with every attempt that fails, and a random part is added.
void Session::retry_later() {
  state_ = State::Waiting;
  ++attempt_;
  if (options_.reconnect_ms <= 0) return;
  const auto base = static_cast<std::uint64_t>(options_.reconnect_ms);
  const int interval = reconnect_ms_ + static_cast<int>(Kernel::get().rng().below(base));
  if (options_.reconnect_max_ms > options_.reconnect_ms) {
    reconnect_ms_ = std::min(reconnect_ms_ * 2, options_.reconnect_max_ms);
  }
  start_timer(TimerKind::Reconnect, interval);
  report(ZMQ_EVENT_CONNECT_RETRIED, interval);
}

void Session::on_connection(Connection& connection) {
  connection_ = &connection;
  state_ = State::Handshaking;
  ++attempt_;
  if (fd_ < 0) fd_ = context_.take_fd();
  start_timer(TimerKind::Handshake, options_.handshake_ms);
  if (role_ == Role::Accepted) {
    report(ZMQ_EVENT_ACCEPTED, fd_);
    return;
  }
  report(ZMQ_EVENT_CONNECTED, fd_);
  connection.from(0).put(SegmentKind::Greeting);
}

void Session::on_timer(TimerKind kind, std::uint32_t attempt) {
  if (kind != TimerKind::Linger && attempt != attempt_) return;
  if (!context_.is_running()) {
    context_.run_or_defer([id = id_, kind, attempt] {
      if (Session* session = Network::get().session(id)) session->on_timer(kind, attempt);
    });
    return;
  }
  switch (kind) {
    case TimerKind::Reconnect: dial(); break;
    case TimerKind::ConnectTimeout: on_refused(); break;
    case TimerKind::Handshake: fail_handshake(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ETIMEDOUT); break;
    case TimerKind::Linger:
      Network::get().count_lost(lingering_);
      lingering_.clear();
      ask_to_end();
      break;
  }
}

void Session::on_output() {
  if (state_ != State::Up) return;
  if (pipe_->waiting_output() >= Network::get().settings().io_burst) {
    put_out();
  } else {
    context_.wake(*this);
  }
}

void Session::on_room() {
  if (state_ == State::Up) context_.wake(*this);
}

void Session::turn() {
  take_in();
  if (state_ == State::Up) put_out();
}

void Session::take_in() {
  if (!context_.is_running()) return context_.wake(*this);
  bool pushed = false;
  while (connection_ != nullptr && connection_->towards(connection_->side_of(*this)).has_arrived()) {
    const Taken taken = take_one();
    if (taken == Taken::Nothing) break;
    pushed = pushed || taken == Taken::Data;
  }
  if (pushed && pipe_ != nullptr) pipe_->flush();
}

Session::Taken Session::take_one() {
  Stream& stream = connection_->towards(connection_->side_of(*this));
  const SegmentKind kind = stream.next().kind;
  if (kind == SegmentKind::End) {
    lose(Loss::Connection);
    return Taken::Connection;
  }
  if (kind != SegmentKind::Data) {
    stream.take();
    take_handshake(kind);
    return Taken::Connection;
  }
  if (pipe_ != nullptr && !pipe_->has_room()) return Taken::Nothing;
  NetworkFigures& figures = Network::get().count();
  for (bool more = true; more;) {
    Segment segment = stream.take();
    const auto limit = static_cast<std::uint64_t>(options_.message_bytes_max);
    if (options_.message_bytes_max >= 0 && segment.msg.size() > limit) {
      if (pipe_ != nullptr) pipe_->flush();
      lose(Loss::Protocol);
      return Taken::Connection;
    }
    more = segment.msg.more;
    segment.msg.source = fd_;
    figures.bytes += segment.msg.size();
    if (pipe_ != nullptr) pipe_->push(std::move(segment.msg));
  }
  ++figures.messages;
  return Taken::Data;
}

void Session::put_out() {
  if (connection_ == nullptr) return;
  if (!context_.is_running()) return context_.wake(*this);
  const int side = connection_->side_of(*this);
  Stream& stream = connection_->from(side);
  const auto has_output = [&] { return pipe_ != nullptr ? pipe_->has_output() : !lingering_.empty(); };
  while (has_output()) {
    if (!stream.has_room()) {
      connection_->on_stall(side);
      break;
    }
    for (bool more = true; more;) {
      Msg msg = pipe_ != nullptr ? pipe_->pull() : lingering_.pop_front();
      more = msg.more;
      msg.make_own();
      stream.put(SegmentKind::Data, std::move(msg));
    }
  }
  stream.transmit();
  finish_if_done();
}

void Session::lose(Loss loss) {
  if (state_ == State::Handshaking && loss == Loss::Connection) report(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, EPIPE);
  report(ZMQ_EVENT_DISCONNECTED, fd_);
  Connection* lost = std::exchange(connection_, nullptr);
  lost->close(lost->side_of(*this));
  ++Network::get().count().resets;
  context_.give_back_fd(std::exchange(fd_, -1));
  const bool goes_on = role_ == Role::Connecter && loss == Loss::Connection && (!leaving_ || !lingering_.empty());
  if (goes_on) {
    reconnect_ms_ = options_.reconnect_ms;
    retry_later();
    if (pipe_ != nullptr && socket_type_ == ZMQ_XSUB) pipe_->hiccup();
    return;
  }
  state_ = State::GivenUp;
  let_pipe_go();
  retire();
}

void Session::fail_handshake(std::uint16_t event, std::int32_t value) {
  report(event, value);
  state_ = State::GivenUp;  // so that lose() does not tell it again
  lose(Loss::Connection);
}

void Session::let_pipe_go() {
  if (pipe_ == nullptr) return;
  Pipe* pipe = std::exchange(pipe_, nullptr);
  pipe->session = nullptr;
  socket_->post(Command::Terminated, *pipe);
}

void Session::leave(int linger_ms) {
  leaving_ = true;
  if (pipe_ != nullptr) {
    pipe_->session = nullptr;
    if (linger_ms != 0) lingering_ = pipe_->take_output();
    pipe_ = nullptr;
  }
  if (lingering_.empty()) return ask_to_end();
  start_timer(TimerKind::Linger, linger_ms);
  if (state_ == State::Up) put_out();
}

void Session::close(int linger_ms) {
  if (!leaving_) {
    socket_ = nullptr;
    return leave(linger_ms);
  }
  socket_ = nullptr;
  if (lingering_.empty()) end();
}

void Session::finish_if_done() {
  if (leaving_ && lingering_.empty()) ask_to_end();
}

// The pipe between the two ends only once the socket has agreed, which takes a call of its owner; the reaper agrees
// for a socket that was closed.
void Session::ask_to_end() {
  if (socket_ == nullptr) return end();
  if (std::exchange(asked_to_end_, true)) return;
  Kernel::get().after(Network::get().settings().io_delay, [id = id_] {
    Session* session = Network::get().session(id);
    if (session != nullptr && session->socket_ != nullptr) session->socket_->post_end(id);
  });
}

void Session::end() {
  if (state_ == State::Dialling) report(ZMQ_EVENT_CLOSED, fd_);
  if (connection_ != nullptr) connection_->close(connection_->side_of(*this));
  retire();
}

void Session::die() {
  pipe_ = nullptr;
  socket_ = nullptr;
  if (connection_ != nullptr) {
    const int side = connection_->side_of(*this);
    if (context_.host->off) {
      connection_->vanish(side);
    } else {
      connection_->abort(side);
    }
  }
  retire();
}

void Session::retire() {
  connection_ = nullptr;
  ++attempt_;
  state_ = State::GivenUp;
  if (fd_ >= 0) context_.give_back_fd(std::exchange(fd_, -1));
  Network::get().retire(*this);
}

}  // namespace legion::sim
