// What the tests with real sockets share: one context with a ZAP handler, waiting under a watchdog, raw sockets.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/time.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/free_ports.hpp>
#include <legion/transport/lane_publisher.hpp>
#include <legion/transport/lane_subscriber.hpp>
#include <legion/transport/link_supervisor.hpp>
#include <legion/transport/zap_server.hpp>

namespace legion::transport::test {

inline SteadyTime steady_now() {
  return {std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

/// Polls `condition` until it holds; false when the watchdog barks first.
template <class Condition>
bool eventually(const Condition& condition, Duration watchdog = 60s) {
  const SteadyTime end = steady_now() + watchdog;
  while (!condition()) {
    if (steady_now() > end) return false;
    poll(nullptr, 0, 1);
  }
  return true;
}

/// A stock socket of the C API.
class RawSocket {
 public:
  RawSocket(Context& context, int type) : handle_(zmq_socket(context.handle(), type)) { set(ZMQ_LINGER, 0); }
  ~RawSocket() { zmq_close(handle_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void* handle() { return handle_; }
  void set(int option, int value) { ASSERT_EQ(zmq_setsockopt(handle_, option, &value, sizeof value), 0); }
  void subscribe(std::string_view topic) {
    ASSERT_EQ(zmq_setsockopt(handle_, ZMQ_SUBSCRIBE, topic.data(), topic.size()), 0);
  }
  void connect(const std::string& uri) { ASSERT_EQ(zmq_connect(handle_, uri.c_str()), 0) << zmq_strerror(errno); }
  void bind(const std::string& uri) { ASSERT_EQ(zmq_bind(handle_, uri.c_str()), 0) << zmq_strerror(errno); }
  bool send(std::string_view part, int flags = 0) {
    return zmq_send(handle_, part.data(), part.size(), flags | ZMQ_DONTWAIT) >= 0;
  }
  /// The parts of the next message; none when there is none.
  std::vector<std::string> receive() {
    std::vector<std::string> parts;
    int more = 1;
    while (more != 0) {
      zmq_msg_t message;
      zmq_msg_init(&message);
      const bool got = zmq_msg_recv(&message, handle_, ZMQ_DONTWAIT) >= 0;
      if (got) parts.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
      more = got ? zmq_msg_more(&message) : 0;
      zmq_msg_close(&message);
    }
    return parts;
  }

 private:
  void* handle_;
};

/// A plain TCP connection to a port of this machine.
class TcpConnection {
 public:
  explicit TcpConnection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~TcpConnection() { close(fd_); }
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  void write(std::string_view text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  /// Reads what there is; true once the other side has closed.
  bool closed() {
    char buffer[4096];
    for (;;) {
      const ssize_t got = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) received_.append(buffer, static_cast<std::size_t>(got));
      if (got == 0) return true;
      if (got < 0) return errno == ECONNRESET;
    }
  }
  const std::string& received() const { return received_; }

 private:
  int fd_;
  std::string received_;
};

class TransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    context = Context::create().value();
    zap = ZapServer::start(*context).value();
  }
  void TearDown() override {
    zap.reset();
    context.reset();
  }

  static std::uint16_t free_port() { return find_free_ports("127.0.0.1", 1).value(); }
  static std::string uri(std::uint16_t port) { return "tcp://127.0.0.1:" + std::to_string(port); }

  /// A publisher on a port that nobody had.
  std::unique_ptr<LanePublisher> publisher(std::string& bound, std::size_t lane = 2,
                                           LanePublisherOptions options = {}) {
    auto made = LanePublisher::create(*context, lane, options).value();
    EXPECT_TRUE(eventually([&] {
      auto result = made->bind(uri(free_port()));
      if (result) bound = *result;
      return result.has_value();
    }));
    return made;
  }
  /// A publisher on a given address, which a former owner may still be leaving.
  std::unique_ptr<LanePublisher> publisher_at(const std::string& address, std::size_t lane = 2) {
    auto made = LanePublisher::create(*context, lane).value();
    EXPECT_TRUE(eventually([&] { return made->bind(address).has_value(); }));
    return made;
  }
  std::unique_ptr<LaneSubscriber> subscriber(std::size_t lane = 2, LaneSubscriberOptions options = {}) {
    return LaneSubscriber::create(*context, lane, options).value();
  }

  std::unique_ptr<Context> context;
  std::unique_ptr<ZapServer> zap;
};

/// Waits until `publisher` was told of a subscription to `topic`.
inline bool hears_of(LanePublisher& publisher, std::string_view topic) {
  bool heard = false;
  return eventually([&] {
    publisher.recv_subscriptions(
        [&](SubscriptionChange change, std::string_view reported) {
          heard = heard || (change == SubscriptionChange::Added && reported == topic);
        },
        1000);
    return heard;
  });
}

/// Waits for the next frame.
inline std::string next_frame(LaneSubscriber& subscriber) {
  std::string text;
  EXPECT_TRUE(eventually([&] {
    auto frame = subscriber.recv();
    if (frame) text = frame->text();
    return frame.has_value();
  }));
  return text;
}

/// A subscriber's links, kept up as the loop of a node does it.
class SupervisedLinks {
 public:
  explicit SupervisedLinks(LaneSubscriber& subscriber, LinkSupervisorOptions options = {})
      : subscriber_(subscriber), supervisor_(options) {}

  void connect(const std::string& uri) {
    EXPECT_TRUE(subscriber_.connect(uri));
    supervisor_.on_connect(steady_now(), uri);
  }
  /// One turn; returns the links that came up.
  std::vector<std::string> turn() {
    std::vector<std::string> up;
    subscriber_.drain_monitor([&](const MonitorEvent& event) { supervisor_.on_monitor_event(steady_now(), event); });
    supervisor_.on_tick(steady_now());
    for (const LinkEffect& effect : supervisor_.drain_effects()) {
      switch (effect.kind) {
        case LinkEffectKind::Up:
          subscriber_.process_commands();
          up.push_back(effect.uri);
          break;
        case LinkEffectKind::Down: ++downs; break;
        case LinkEffectKind::Redial:
          EXPECT_TRUE(subscriber_.disconnect(effect.uri));
          EXPECT_TRUE(subscriber_.connect(effect.uri));
          break;
      }
    }
    return up;
  }
  bool come_up() {
    return eventually([&] { return !turn().empty(); });
  }
  LinkSupervisor& supervisor() { return supervisor_; }
  int downs = 0;

 private:
  LaneSubscriber& subscriber_;
  LinkSupervisor supervisor_;
};

inline BytesView bytes(std::string_view text) { return as_bytes_view(text); }

}  // namespace legion::transport::test
