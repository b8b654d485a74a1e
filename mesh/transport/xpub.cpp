#include <legion/transport/xpub.hpp>

#include <zmq.h>

#include <legion/transport/lane_settings.hpp>
#include <legion/transport/tcp_options.hpp>

namespace legion::transport {
namespace {

// The header hides it with the draft API; the library has it. A build without it fails here, at the start.
constexpr int option_only_first_subscribe = 108;

}  // namespace

Result<Xpub> Xpub::create(Socket socket) {
  SocketOptions options(socket);
  options.set(ZMQ_XPUB_NODROP, 1)
      .set(option_only_first_subscribe, 1)
      .set(ZMQ_RCVHWM, upstream_high_water_mark)
      .set_int64(ZMQ_MAXMSGSIZE, upstream_message_bytes_max);
  if (!options.result()) return std::unexpected(options.result().error());
  return Xpub(std::move(socket));
}

// With NODROP a full queue of one matching peer is reported, but then nobody gets the message. Sent once more without
// NODROP, everybody does but the full ones. The full ones stop matching until they have room, so the report comes once
// per transition, not per message. ZeroMQ looks for what peers have consumed only about once per ms of sending: before
// a queue is believed to be full, it is made to look.
template <class Body>
PublishOutcome Xpub::send_dropping(const Body& body) {
  if (!was_subscribed_to_) {
    ++counters_.sent;
    return PublishOutcome::Sent;
  }
  SendResult result = socket_.send(body);
  if (result == SendResult::Full) {
    socket_.process_commands();
    result = socket_.send(body);
  }
  const bool slow_peer = result == SendResult::Full;
  if (slow_peer) {
    ++counters_.slow_peer;
    if (!socket_.set(ZMQ_XPUB_NODROP, 0)) return PublishOutcome::Closed;
    result = socket_.send(body);
    if (!socket_.set(ZMQ_XPUB_NODROP, 1)) return PublishOutcome::Closed;
  }
  if (result != SendResult::Sent) return PublishOutcome::Closed;
  ++counters_.sent;
  return slow_peer ? PublishOutcome::SlowPeer : PublishOutcome::Sent;
}

PublishOutcome Xpub::send(BytesView bytes) { return send_dropping(bytes); }
PublishOutcome Xpub::send(const Message& message) { return send_dropping(message); }

std::size_t Xpub::read_upstream(const SubscriptionReport& report, std::size_t parts_max) {
  std::size_t parts = 0;
  for (; parts < parts_max; ++parts) {
    const bool inside_user_message = upstream_ == More::Yes;
    auto part = socket_.receive(upstream_);
    if (!part) break;
    const BytesView bytes = part->bytes();
    // A later part is user data even when it looks like a subscription: with ONLY_FIRST_SUBSCRIBE it is none.
    if (inside_user_message || upstream_ == More::Yes || bytes.empty() || bytes[0] > 1) {
      ++counters_.discarded_upstream;
      continue;
    }
    was_subscribed_to_ = was_subscribed_to_ || bytes[0] == 1;
    report(bytes[0] == 1 ? SubscriptionChange::Added : SubscriptionChange::Removed, part->text().substr(1));
  }
  return parts;
}

}  // namespace legion::transport
