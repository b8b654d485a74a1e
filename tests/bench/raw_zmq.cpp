// The baseline: sockets of libzmq with nothing around them, one message an event.
#include <zmq.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <legion/event/priority.hpp>
#include <legion/transport/free_ports.hpp>
#include <legion/transport/lane_settings.hpp>

#include "roles.hpp"

namespace legion::bench {

namespace {

constexpr int receive_turn_ms = 100;
constexpr int bind_attempts = 5;
constexpr const char* inproc_uri = "inproc://bench";

struct ContextEnd {
  void operator()(void* context) const { zmq_ctx_term(context); }
};
struct SocketEnd {
  void operator()(void* socket) const { zmq_close(socket); }
};
using RawContext = std::unique_ptr<void, ContextEnd>;
using RawSocket = std::unique_ptr<void, SocketEnd>;

Error zmq_error(const char* what) { return {ErrorCode::Io, std::string(what) + ": " + zmq_strerror(zmq_errno())}; }

/// The high-water marks of the lane that the mesh uses for most of these events.
RawSocket open_socket(void* context, int kind) {
  RawSocket socket(zmq_socket(context, kind));
  const int mark = transport::lane_settings[lane_index(Priority::Normal)].high_water_mark;
  const int linger_ms = 0;
  zmq_setsockopt(socket.get(), ZMQ_SNDHWM, &mark, sizeof mark);
  zmq_setsockopt(socket.get(), ZMQ_RCVHWM, &mark, sizeof mark);
  zmq_setsockopt(socket.get(), ZMQ_RCVTIMEO, &receive_turn_ms, sizeof receive_turn_ms);
  zmq_setsockopt(socket.get(), ZMQ_LINGER, &linger_ms, sizeof linger_ms);
  return socket;
}

std::string uri(std::uint16_t port) { return "tcp://" + std::string(loopback) + ":" + std::to_string(port); }

/// Another process may take the port first.
Result<std::uint16_t> bind_somewhere(void* socket) {
  for (int attempt = 0; attempt < bind_attempts; ++attempt) {
    const auto port = transport::find_free_ports(loopback, 1);
    if (!port) return port;
    if (zmq_bind(socket, uri(*port).c_str()) == 0) return port;
  }
  return std::unexpected(zmq_error("bind"));
}

Outlet outlet_of(void* socket, std::uint8_t flow) {
  return {flow, [socket, data = write_payload({})](const Payload& payload) mutable {
            rewrite_payload(data, payload);
            if (zmq_send(socket, data.data(), data.size(), 0) >= 0) return Sent::Yes;
            return zmq_errno() == EAGAIN || zmq_errno() == EINTR ? Sent::TryAgain : Sent::Failed;
          }};
}

/// Reads a socket on a thread of its own while it lives.
class Receiver {
 public:
  Receiver(RawSocket socket, Meters& meters)
      : socket_(std::move(socket)), meters_(meters), thread_([this] { run(); }) {}
  ~Receiver() {
    ending_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

 private:
  void run() {
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (!ending_.load(std::memory_order_relaxed)) {
      if (zmq_msg_recv(&message, socket_.get(), 0) < 0) continue;
      meters_.on_arrival({static_cast<const std::uint8_t*>(zmq_msg_data(&message)), zmq_msg_size(&message)});
    }
    zmq_msg_close(&message);
  }

  RawSocket socket_;
  Meters& meters_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

int publisher(void* context, const RoleSpec& spec, const Meters& meters) {
  std::vector<RawSocket> sockets;
  std::vector<std::uint16_t> ports;
  std::vector<Outlet> outlets;
  for (const FlowSpec& flow : spec.flows) {
    sockets.push_back(open_socket(context, ZMQ_PUB));
    const auto port = bind_somewhere(sockets.back().get());
    if (!port) return complain(port.error());
    ports.push_back(*port);
    outlets.push_back(outlet_of(sockets.back().get(), flow.number));
  }
  return serve(ports, spec.pace, outlets, meters);
}

int subscriber(void* context, const RoleSpec& spec, Meters& meters) {
  RawSocket socket = open_socket(context, ZMQ_SUB);
  zmq_setsockopt(socket.get(), ZMQ_SUBSCRIBE, "", 0);
  for (const std::uint16_t port : spec.ports) {
    if (zmq_connect(socket.get(), uri(port).c_str()) != 0) return complain(zmq_error("connect"));
  }
  const Receiver receiver(std::move(socket), meters);
  return serve({}, spec.pace, {}, meters);
}

/// PUSH waits where PUB drops, so that the baseline of a path without loss loses nothing either.
int both_ends(void* context, const RoleSpec& spec, Meters& meters) {
  RawSocket in = open_socket(context, ZMQ_PULL);
  const RawSocket out = open_socket(context, ZMQ_PUSH);
  if (zmq_bind(in.get(), inproc_uri) != 0) return complain(zmq_error("bind"));
  if (zmq_connect(out.get(), inproc_uri) != 0) return complain(zmq_error("connect"));
  const Receiver receiver(std::move(in), meters);
  return serve({}, spec.pace, {outlet_of(out.get(), spec.flows.front().number)}, meters);
}

}  // namespace

int raw_role(const RoleSpec& spec) {
  const RawContext context(zmq_ctx_new());
  Meters meters(spec.meters);
  if (spec.meters.empty()) return publisher(context.get(), spec, meters);
  if (spec.flows.empty()) return subscriber(context.get(), spec, meters);
  return both_ends(context.get(), spec, meters);
}

}  // namespace legion::bench
