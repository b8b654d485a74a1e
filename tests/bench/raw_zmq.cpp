// The baseline: PUB and SUB of libzmq with nothing around them, one message an event.
#include <zmq.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <legion/event/priority.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/transport/free_ports.hpp>
#include <legion/transport/lane_settings.hpp>

#include "roles.hpp"

namespace legion::bench {

namespace {

constexpr int receive_turn_ms = 100;
constexpr int bind_attempts = 5;

struct ContextEnd {
  void operator()(void* context) const { zmq_ctx_term(context); }
};
struct SocketEnd {
  void operator()(void* socket) const { zmq_close(socket); }
};
using RawContext = std::unique_ptr<void, ContextEnd>;
using RawSocket = std::unique_ptr<void, SocketEnd>;

Error zmq_error(const char* what) { return {ErrorCode::Io, std::string(what) + ": " + zmq_strerror(zmq_errno())}; }

/// The high-water marks of the lane that the mesh uses for these events.
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

void receive(void* socket, const std::atomic<bool>& ending, Meter& meter) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (!ending.load(std::memory_order_relaxed)) {
    if (zmq_msg_recv(&message, socket, 0) < 0) continue;
    const BytesView data(static_cast<const std::uint8_t*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    meter.on_arrival(data, read_clocks().steady);
  }
  zmq_msg_close(&message);
}

}  // namespace

int raw_publisher(Pace pace) {
  const RawContext context(zmq_ctx_new());
  const RawSocket socket = open_socket(context.get(), ZMQ_PUB);
  const auto port = bind_somewhere(socket.get());
  if (!port) return complain(port.error());
  say_ready(*port);
  return drive_publisher(pace, [&](const Payload& payload) {
    const Bytes data = write_payload(payload);
    if (zmq_send(socket.get(), data.data(), data.size(), 0) >= 0) return Sent::Yes;
    return zmq_errno() == EAGAIN || zmq_errno() == EINTR ? Sent::TryAgain : Sent::Failed;
  });
}

int raw_subscriber(std::uint16_t port) {
  const RawContext context(zmq_ctx_new());
  const RawSocket socket = open_socket(context.get(), ZMQ_SUB);
  zmq_setsockopt(socket.get(), ZMQ_SUBSCRIBE, "", 0);
  if (zmq_connect(socket.get(), uri(port).c_str()) != 0) return complain(zmq_error("connect"));
  Meter meter;
  std::atomic<bool> ending{false};
  std::thread receiver([&] { receive(socket.get(), ending, meter); });
  say_ready(port);
  const int code = answer_reports(meter);
  ending.store(true, std::memory_order_relaxed);
  receiver.join();
  return code;
}

}  // namespace legion::bench
