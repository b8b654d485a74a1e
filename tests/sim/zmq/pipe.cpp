#include "pipe.hpp"

#include <utility>

#include "session.hpp"
#include "socket.hpp"

namespace legion::sim {

Pipe::Pipe(Socket& socket, Session& owner, Marks marks)
    : session(&owner),
      socket_(socket),
      out_mark_(static_cast<std::uint64_t>(marks.sndhwm)),
      out_half_((out_mark_ + 1) / 2),
      in_mark_(static_cast<std::uint64_t>(marks.rcvhwm)),
      in_half_((in_mark_ + 1) / 2) {}

bool Pipe::can_write() {
  if (!out_active_ || state_ != State::Active) return false;
  out_active_ = below_mark();
  return out_active_;
}

bool Pipe::write(Msg msg) {
  if (!can_write()) return false;
  const bool last = !msg.more;
  out.push_back(std::move(msg));
  if (!last) return true;
  ++written_;
  committed_ = out.size();
  if (session != nullptr) session->on_output();
  return true;
}

bool Pipe::read(Msg& into) {
  if (!in_active_ || state_ == State::Finished) return false;
  if (in.empty()) {
    in_active_ = false;
    asleep_ = true;
    if (state_ == State::Draining) {
      state_ = State::Finished;
      socket_.post(Command::Finished, *this);
    }
    return false;
  }
  into = in.pop_front();
  if (into.more) return true;
  ++in_read_;
  if (in_half_ > 0 && in_read_ % in_half_ == 0) {
    told_in_read_ = in_read_;
    if (session != nullptr) session->on_room();
  }
  return true;
}

void Pipe::on_read_activated() { in_active_ = true; }

bool Pipe::on_write_activated() {
  told_read_ = credit_;
  credit_pending_ = false;
  if (out_active_ || state_ != State::Active) return false;
  out_active_ = true;
  return true;
}

void Pipe::on_hiccup() {
  out.clear();
  committed_ = 0;
  written_ = pulled_ = credit_ = told_read_ = 0;
  hiccup_pending_ = false;
  out_active_ = true;
}

bool Pipe::on_terminated() {
  if (state_ != State::Active) return false;
  state_ = in.empty() ? State::Finished : State::Draining;
  return state_ == State::Finished;
}

Msg Pipe::pull() {
  --committed_;
  Msg msg = out.pop_front();
  if (msg.more) return msg;
  ++pulled_;
  if (out_half_ > 0 && pulled_ % out_half_ == 0) {
    credit_ = pulled_;
    if (!std::exchange(credit_pending_, true)) socket_.post(Command::ActivateWrite, *this);
  }
  return msg;
}

Ring<Msg> Pipe::take_output() {
  while (out.size() > committed_) out.pop_back();
  committed_ = 0;
  return std::move(out);
}

void Pipe::push(Msg msg) {
  if (!msg.more) ++in_written_;
  in.push_back(std::move(msg));
}

void Pipe::flush() {
  if (std::exchange(asleep_, false)) socket_.post(Command::ActivateRead, *this);
}

void Pipe::hiccup() {
  if (!std::exchange(hiccup_pending_, true)) socket_.post(Command::Hiccup, *this);
}

}  // namespace legion::sim
