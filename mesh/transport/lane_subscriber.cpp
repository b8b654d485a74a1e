#include <legion/transport/lane_subscriber.hpp>

#include <zmq.h>

#include <legion/base/assert.hpp>
#include <legion/transport/tcp_options.hpp>

namespace legion::transport {

Result<std::unique_ptr<LaneSubscriber>> LaneSubscriber::create(Context& context, std::size_t lane,
                                                               LaneSubscriberOptions options) {
  LEGION_ASSERT(lane < lane_settings.size());
  const LaneSettings& settings = lane_settings[lane];
  auto socket = Socket::open(context, SocketType::Xsub);
  if (!socket) return std::unexpected(socket.error());
  if (auto done = set_connecter_options(*socket, {options.redial_max, options.connect_timeout}); !done) {
    return std::unexpected(done.error());
  }

  SocketOptions set(*socket);
  set.set(ZMQ_SNDHWM, 0)  // subscriptions are messages too: above a limit they would be dropped silently
      .set(ZMQ_RCVHWM, options.high_water_mark.value_or(settings.high_water_mark))
      .set_int64(ZMQ_MAXMSGSIZE, options.message_bytes_max)
      .set_uint64(ZMQ_AFFINITY, settings.affinity)
      .set(ZMQ_TOS, settings.tos);
  const int buffer = options.kernel_buffer_bytes.value_or(settings.kernel_buffer_bytes);
  if (buffer > 0) set.set(ZMQ_RCVBUF, buffer);
  if (!set.result()) return std::unexpected(set.result().error());

  auto subscriber = std::unique_ptr<LaneSubscriber>(new LaneSubscriber(std::move(*socket)));
  auto monitor = Monitor::attach(context, subscriber->socket_);
  if (!monitor) return std::unexpected(monitor.error());
  subscriber->monitor_ = std::move(*monitor);
  return subscriber;
}

Result<void> LaneSubscriber::connect(const std::string& uri) {
  if (uris_.contains(uri)) return {};
  if (auto done = socket_.connect(uri); !done) return done;
  uris_.insert(uri);
  return {};
}

Result<void> LaneSubscriber::disconnect(const std::string& uri) {
  if (uris_.erase(uri) == 0) return {};
  return socket_.disconnect(uri);
}

Result<void> LaneSubscriber::subscribe(std::string_view topic) {
  if (topic.size() > limits::topic_bytes_max) {
    return fail(ErrorCode::TooBig, "a topic has at most " + std::to_string(limits::topic_bytes_max) + " bytes");
  }
  if (topics_.contains(topic)) return {};
  if (auto done = send_upstream('\x01', topic); !done) return done;
  topics_.emplace(topic);
  return {};
}

Result<void> LaneSubscriber::unsubscribe(std::string_view topic) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return {};
  if (auto done = send_upstream('\x00', topic); !done) return done;
  topics_.erase(found);
  return {};
}

Result<void> LaneSubscriber::send_upstream(char command, std::string_view topic) {
  std::string frame(1, command);
  frame += topic;
  if (socket_.send(as_bytes_view(frame)) != SendResult::Sent) {
    return fail(ErrorCode::Closed, "the lane is closed");
  }
  return {};
}

std::optional<Message> LaneSubscriber::recv() {
  More more = More::No;
  while (auto frame = socket_.receive(more)) {
    if (more == More::No) return frame;
    while (more == More::Yes && socket_.receive(more)) {
    }
    ++discarded_;
  }
  return std::nullopt;
}

}  // namespace legion::transport
