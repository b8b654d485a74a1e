#include "stream.hpp"

#include <algorithm>
#include <utility>

#include "connection.hpp"
#include "network.hpp"

namespace legion::sim {
namespace {

/// What a sender has on the wire of a link of limited capacity, or unacknowledged: what TCP's window does to it.
constexpr std::uint64_t window_bytes = 64 * 1024;
constexpr std::uint32_t handshake_bytes = 64;

std::uint32_t bytes_on_wire(const Segment& segment) {
  if (segment.kind != SegmentKind::Data) return segment.kind == SegmentKind::End ? 0 : handshake_bytes;
  const std::size_t size = segment.msg.size();
  return static_cast<std::uint32_t>(size + (size < 256 ? 2 : 9));
}

}  // namespace

void Stream::begin(Connection& connection, int from, Link& link, std::uint64_t limit) {
  connection_ = &connection;
  from_ = from;
  link_ = &link;
  limit_ = limit;
}

std::size_t Stream::messages() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    if (queue_[i].kind == SegmentKind::Data && !queue_[i].msg.more) ++count;
  }
  return count;
}

void Stream::put(SegmentKind kind, Msg msg) {
  Segment segment{kind, 0, {}, std::move(msg)};
  segment.bytes = bytes_on_wire(segment);
  bytes_ += segment.bytes;
  queue_.push_back(std::move(segment));
  if (kind != SegmentKind::Data) transmit();
}

void Stream::transmit() {
  if (sent_ == queue_.size()) return;
  if (!link_->passes()) return connection_->on_unacknowledged(from_);
  if (connection_->holds_back()) return;
  const std::uint64_t rate = link_->settings.bytes_per_second;
  const SteadyTime now = Kernel::get().now();
  Duration travel = link_->settings.delay;
  if (link_->settings.jitter > Duration{0}) {
    travel += Duration(Kernel::get().rng().below(static_cast<std::uint64_t>(link_->settings.jitter.count())));
  }
  while (sent_ < queue_.size()) {
    if (rate > 0 && wire_bytes_ >= window_bytes) break;
    if (connection_->path_broken()) {
      if (unacknowledged_ >= window_bytes) break;
      connection_->on_unacknowledged(from_);
    }
    // The parts of a message arrive together: ZeroMQ would not show some of them either.
    std::size_t end = sent_ + 1;
    std::uint64_t bytes = queue_[sent_].bytes;
    for (; queue_[end - 1].msg.more; ++end) bytes += queue_[end].bytes;
    SteadyTime leaves = now;
    if (rate > 0) {
      leaves = std::max(now, link_->free_at) + Duration(bytes * 1'000'000'000 / rate);
      link_->free_at = leaves;
    }
    last_arrival_ = std::max(last_arrival_, leaves + travel);
    for (; sent_ < end; ++sent_) queue_[sent_].arrives = last_arrival_;
    wire_bytes_ += bytes;
    unacknowledged_ += connection_->path_broken() ? bytes : 0;
  }
  arm();
}

void Stream::arm() {
  if (sent_ == arrived_) return;
  const SteadyTime next = queue_[arrived_].arrives;
  if (armed_for_.ns != 0 && armed_for_ <= next) return;
  armed_for_ = next;
  Kernel::get().at(next, [id = connection_->id(), from = from_] {
    if (Connection* connection = Network::get().connection(id)) connection->from(from).on_event();
  });
}

void Stream::on_event() {
  const SteadyTime now = Kernel::get().now();
  if (armed_for_ <= now) armed_for_ = {};
  const std::size_t before = arrived_;
  while (arrived_ < sent_ && queue_[arrived_].arrives <= now) wire_bytes_ -= queue_[arrived_++].bytes;
  if (link_->settings.bytes_per_second > 0) transmit();
  arm();
  if (arrived_ > before) connection_->deliver(1 - from_);
}

Segment Stream::take() {
  Segment segment = queue_.pop_front();
  --arrived_;
  --sent_;
  bytes_ -= segment.bytes;
  if (stalled_since) {
    stalled_since.reset();
    connection_->on_taken(from_);
  }
  return segment;
}

void Stream::truncate(std::size_t kept) {
  std::size_t end = arrived_ + std::min(kept, undelivered());
  while (end > arrived_ && queue_[end - 1].msg.more) --end;
  NetworkFigures& figures = Network::get().count();
  while (queue_.size() > end) {
    const Segment& last = queue_.back();
    if (last.kind == SegmentKind::Data && !last.msg.more) ++figures.lost_with_connection;
    if (sent_ == queue_.size()) {
      --sent_;
      wire_bytes_ -= last.bytes;
    }
    bytes_ -= last.bytes;
    queue_.pop_back();
  }
}

void Stream::end_here() {
  truncate(0);
  queue_.push_back({SegmentKind::End, 0, Kernel::get().now(), {}});
  arrived_ = sent_ = queue_.size();
}

}  // namespace legion::sim
