#include "connection.hpp"

#include <algorithm>
#include <utility>

#include "network.hpp"

namespace legion::sim {
namespace {

constexpr int retries_ms = 924'600;         // net.ipv4.tcp_retries2, as it comes out
constexpr int keepalive_default_s = 7200;
constexpr Duration first_retransmission = 200ms;
constexpr Duration last_retransmission = 120s;

std::uint64_t buffers(int sndbuf, int rcvbuf) {
  const std::uint64_t half = Network::get().settings().kernel_buffer_bytes / 2;
  return (sndbuf > 0 ? static_cast<std::uint64_t>(sndbuf) : half) +
         (rcvbuf > 0 ? static_cast<std::uint64_t>(rcvbuf) : half);
}

}  // namespace

Connection::Connection(std::uint64_t id, Ends ends, Session& dialled, Socket& listener, TcpUri uri)
    : id_(id),
      listener_(&listener),
      uri_(std::move(uri)),
      dialler_type_(dialled.socket_type()),
      accepted_type_(listener.type()) {
  Network& network = Network::get();
  const Options& there = listener.options();
  const Options& here = dialled.options();
  sides_[0].host = ends.from;
  sides_[1].host = ends.to;
  streams_[0].begin(*this, 0, network.link(*ends.from, *ends.to), buffers(here.sndbuf, there.rcvbuf));
  streams_[1].begin(*this, 1, network.link(*ends.to, *ends.from), buffers(there.sndbuf, here.rcvbuf));
  take_timeouts(0, here);
  take_timeouts(1, there);
}

// With TCP_USER_TIMEOUT, Linux ends a silent connection by that, once a keep-alive probe has gone without an answer.
void Connection::take_timeouts(int side, const Options& options) {
  Side& mine = sides_[side];
  mine.user_timeout_ms = options.user_timeout_ms > 0 ? options.user_timeout_ms : retries_ms;
  if (options.keepalive != 1) return;
  const int idle = (options.keepalive_idle_s > 0 ? options.keepalive_idle_s : keepalive_default_s) * 1000;
  const int interval = (options.keepalive_interval_s > 0 ? options.keepalive_interval_s : 75) * 1000;
  const int count = options.keepalive_count > 0 ? options.keepalive_count : 9;
  mine.keepalive_idle_ms = idle;
  mine.keepalive_ms =
      options.user_timeout_ms > 0 ? std::max(idle + interval, options.user_timeout_ms) : idle + interval * count;
}

void Connection::attach(int side, Session& session) {
  sides_[side].session = &session;
  if (side == 1) listener_ = nullptr;
}

void Connection::forget(const Session& session) {
  for (Side& side : sides_) {
    if (side.session == &session) side.session = nullptr;
  }
}

void Connection::deliver(int side) {
  Side& mine = sides_[side];
  mine.heard_at = Kernel::get().now();
  if (mine.session != nullptr) {
    if (mine.session->connection() == this) mine.session->take_in();
    return;
  }
  if (side == 1 && listener_ != nullptr) {
    Context& context = listener_->context();
    if (context.is_running()) {
      Network::get().accept(*this);
    } else {
      context.run_or_defer([id = id_] {
        if (Connection* connection = Network::get().connection(id)) connection->deliver(1);
      });
    }
    return;
  }
  discard(side);
  // A kernel that knows of no such connection says so.
  if (mine.alive || std::exchange(mine.told, true)) return;
  from(side).truncate(0);
  from(side).put(SegmentKind::End);
}

void Connection::discard(int side) {
  Stream& stream = towards(side);
  while (stream.has_arrived()) {
    const Segment segment = stream.take();
    if (segment.kind == SegmentKind::Data && !segment.msg.more) ++Network::get().count().lost_with_connection;
  }
}

void Connection::on_stall(int side) {
  if (from(side).stalled_since) return;
  from(side).stalled_since = Kernel::get().now();
  check_later(side, std::chrono::milliseconds(sides_[side].user_timeout_ms));
}

void Connection::on_taken(int side) {
  if (Session* sender = sides_[side].session) sender->on_room();
}

void Connection::close(int side) {
  sides_[side].session = nullptr;
  if (sides_[side].alive && !std::exchange(sides_[side].told, true)) from(side).put(SegmentKind::End);
  discard(side);
  forget_if_over();
}

void Connection::abort(int side) {
  Stream& stream = from(side);
  stream.truncate(Kernel::get().rng().below(stream.undelivered() + 1));
  close(side);
}

void Connection::vanish(int side) {
  Side& mine = sides_[side];
  mine.session = nullptr;
  mine.alive = false;
  from(side).truncate(0);
  discard(side);
  const Side& other = sides_[1 - side];
  if (other.keepalive_idle_ms > 0) check_later(1 - side, std::chrono::milliseconds(other.keepalive_idle_ms));
  forget_if_over();
}

void Connection::reset() {
  for (const int side : {0, 1}) {
    Stream& stream = towards(side);
    stream.truncate(0);
    stream.end_here();
    sides_[side].told = true;
  }
  for (const int side : {0, 1}) deliver(side);
}

void Connection::refuse(bool silently) {
  listener_ = nullptr;
  if (silently) {
    vanish(1);
  } else {
    close(1);
  }
}

void Connection::forget_if_over() {
  if (sides_[0].session == nullptr && sides_[1].session == nullptr && listener_ == nullptr) {
    Network::get().retire(*this);
  }
}

bool Connection::holds_back() const { return Kernel::get().now() < held_back_until_; }

void Connection::on_path_change() {
  Network& network = Network::get();
  const SteadyTime now = Kernel::get().now();
  Link* links[] = {&network.link(host(0), host(1)), &network.link(host(1), host(0))};
  for (const int side : {0, 1}) {
    if (!links[side]->passes()) from(side).recall();
    was_blocked_ = was_blocked_ || links[side]->is_cut();
  }
  const bool broken = !links[0]->passes() || !links[1]->passes();
  if (broken && !broken_since_) {
    broken_since_ = now;
    for (const int side : {0, 1}) {
      sides_[side].heard_at = now;
      if (from(side).undelivered() > 0) on_unacknowledged(side);
      if (sides_[side].keepalive_ms > 0) check_later(side, std::chrono::milliseconds(sides_[side].keepalive_ms));
    }
  }
  if (broken) return kick();
  if (!broken_since_) return;
  if (was_blocked_) held_back_until_ = next_retransmission();
  broken_since_.reset();
  was_blocked_ = false;
  for (const int side : {0, 1}) {
    sides_[side].unacknowledged_since.reset();
    from(side).acknowledged();
    if (!sides_[1 - side].alive) check_later(side, std::chrono::milliseconds(sides_[side].keepalive_idle_ms));
  }
  Kernel::get().at(held_back_until_, [id = id_] {
    if (Connection* connection = Network::get().connection(id)) connection->kick();
  });
}

void Connection::on_faster_link(const Host& sender) {
  for (const int side : {0, 1}) {
    if (&host(side) != &sender) continue;
    from(side).recall();
    from(side).transmit();
  }
}

void Connection::kick() {
  streams_[0].transmit();
  streams_[1].transmit();
}

// TCP tries again after 200 ms, and then after twice as long every time.
SteadyTime Connection::next_retransmission() const {
  const SteadyTime now = Kernel::get().now();
  Duration interval = first_retransmission;
  SteadyTime at = *broken_since_ + interval;
  while (at < now) {
    interval = std::min(interval * 2, last_retransmission);
    at = at + interval;
  }
  return at;
}

void Connection::on_unacknowledged(int side) {
  Side& mine = sides_[side];
  if (mine.unacknowledged_since) return;
  mine.unacknowledged_since = Kernel::get().now();
  check_later(side, std::chrono::milliseconds(mine.user_timeout_ms));
}

void Connection::check_later(int side, Duration delay) {
  Kernel::get().after(delay, [id = id_, side] {
    if (Connection* connection = Network::get().connection(id)) connection->check(side);
  });
}

void Connection::check(int side) {
  const Side& mine = sides_[side];
  if (!mine.alive) return;
  const SteadyTime now = Kernel::get().now();
  const auto overdue = [&](const std::optional<SteadyTime>& since, int limit_ms) {
    return since && limit_ms > 0 && now - *since >= std::chrono::milliseconds(limit_ms);
  };
  if (overdue(from(side).stalled_since, mine.user_timeout_ms)) return time_out(side);
  if (!broken_since_) {
    // A probe met a kernel that knows of no such connection.
    if (!sides_[1 - side].alive && mine.session != nullptr) {
      towards(side).end_here();
      deliver(side);
    }
    return;
  }
  if (overdue(mine.unacknowledged_since, mine.user_timeout_ms)) return time_out(side);
  if (overdue(mine.heard_at, mine.keepalive_ms)) return time_out(side);
  if (mine.keepalive_ms > 0 && !mine.unacknowledged_since) {
    check_later(side, std::chrono::milliseconds(mine.keepalive_ms) - (now - mine.heard_at));
  }
}

void Connection::time_out(int side) {
  ++Network::get().count().timeouts;
  Side& mine = sides_[side];
  mine.alive = false;
  from(side).truncate(0);
  towards(side).end_here();
  const Side& other = sides_[1 - side];
  if (!path_broken()) {
    mine.told = true;
    from(side).put(SegmentKind::End);
  } else if (other.keepalive_idle_ms > 0) {
    check_later(1 - side, std::chrono::milliseconds(other.keepalive_idle_ms));
  }
  deliver(side);
}

}  // namespace legion::sim
