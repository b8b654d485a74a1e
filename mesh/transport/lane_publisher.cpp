#include <legion/transport/lane_publisher.hpp>

#include <zmq.h>

#include <legion/base/assert.hpp>
#include <legion/transport/tcp_options.hpp>

namespace legion::transport {

Result<std::unique_ptr<LanePublisher>> LanePublisher::create(Context& context, std::size_t lane,
                                                             LanePublisherOptions options) {
  LEGION_ASSERT(lane < lane_settings.size());
  const LaneSettings& settings = lane_settings[lane];
  auto socket = Socket::open(context, SocketType::Xpub);
  if (!socket) return std::unexpected(socket.error());
  if (auto done = set_listener_options(*socket); !done) return std::unexpected(done.error());

  SocketOptions set(*socket);
  set.set(ZMQ_SNDHWM, options.high_water_mark.value_or(settings.high_water_mark))
      .set(ZMQ_LINGER, options.linger_ms.value_or(settings.publisher_linger_ms))
      .set_uint64(ZMQ_AFFINITY, settings.affinity)
      .set(ZMQ_TOS, settings.tos);
  const int buffer = options.kernel_buffer_bytes.value_or(settings.kernel_buffer_bytes);
  if (buffer > 0) set.set(ZMQ_SNDBUF, buffer);
  if (!set.result()) return std::unexpected(set.result().error());

  auto xpub = Xpub::create(std::move(*socket));
  if (!xpub) return std::unexpected(xpub.error());
  return std::unique_ptr<LanePublisher>(new LanePublisher(context, std::move(*xpub)));
}

Result<std::string> LanePublisher::bind(const std::string& uri) {
  auto bound = xpub_.socket().bind(uri);
  if (!bound || monitor_) return bound;
  auto monitor = Monitor::attach(context_, xpub_.socket());
  if (!monitor) return std::unexpected(monitor.error());
  monitor_ = std::move(*monitor);
  return bound;
}

std::vector<Pollable> LanePublisher::pollables() const {
  std::vector<Pollable> all{xpub_.socket().pollable()};
  if (monitor_) all.push_back(monitor_->pollable());
  return all;
}

}  // namespace legion::transport
