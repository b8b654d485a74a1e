#include <legion/transport/control_server.hpp>

#include <zmq.h>

#include <legion/base/assert.hpp>
#include <legion/transport/tcp_options.hpp>

namespace legion::transport {

Result<std::unique_ptr<ControlServer>> ControlServer::create(Context& context, ControlServerOptions options) {
  auto socket = Socket::open(context, SocketType::Router);
  if (!socket) return std::unexpected(socket.error());
  if (auto done = set_listener_options(*socket); !done) return std::unexpected(done.error());

  SocketOptions set(*socket);
  set.set(ZMQ_ROUTER_MANDATORY, 1)
      .set(ZMQ_SNDHWM, options.high_water_mark)
      .set(ZMQ_RCVHWM, options.high_water_mark)
      .set(ZMQ_LINGER, options.linger_ms)
      .set_int64(ZMQ_MAXMSGSIZE, wire_message_bytes_max)
      .set_uint64(ZMQ_AFFINITY, options.affinity);
  if (!set.result()) return std::unexpected(set.result().error());

  return std::unique_ptr<ControlServer>(new ControlServer(context, std::move(*socket)));
}

Result<std::string> ControlServer::bind(const std::string& uri) {
  auto bound = socket_.bind(uri);
  if (!bound || monitor_) return bound;
  auto monitor = Monitor::attach(context_, socket_);
  if (!monitor) return std::unexpected(monitor.error());
  monitor_ = std::move(*monitor);
  return bound;
}

std::vector<Pollable> ControlServer::pollables() const {
  std::vector<Pollable> all{socket_.pollable()};
  if (monitor_) all.push_back(monitor_->pollable());
  return all;
}

std::optional<ControlRequest> ControlServer::recv() {
  More more = More::No;
  while (auto id = socket_.receive(more)) {
    std::optional<Message> first;
    std::optional<Message> second;
    std::size_t parts = 0;
    while (more == More::Yes) {
      auto part = socket_.receive(more);
      if (!part) break;
      if (parts == 0) first = std::move(part);
      if (parts == 1) second = std::move(part);
      ++parts;
    }
    if (parts == 1 && first->size() > 0) {
      return ControlRequest{{std::string(id->text()), ControlPeer::Envelope::Bare}, std::move(*first)};
    }
    if (parts == 2 && first->size() == 0 && second->size() > 0) {
      return ControlRequest{{std::string(id->text()), ControlPeer::Envelope::Delimited}, std::move(*second)};
    }
    ++counters_.malformed;
  }
  return std::nullopt;
}

SendResult ControlServer::reply(const ControlPeer& peer, BytesView payload) {
  SendResult result = socket_.send(as_bytes_view(peer.routing_id), More::Yes);
  // A ROUTER decides about the whole message with its first part.
  if (result == SendResult::Sent && peer.envelope == ControlPeer::Envelope::Delimited) {
    result = socket_.send(BytesView{}, More::Yes);
  }
  if (result == SendResult::Sent) result = socket_.send(payload);
  if (result == SendResult::Unreachable) ++counters_.replies_unreachable;
  if (result == SendResult::Full) ++counters_.replies_full;
  return result;
}

}  // namespace legion::transport
