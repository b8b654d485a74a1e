// What the tests of the spool service share: frames, a spool with a store in memory, nodes with a journal.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <legion/base/address.hpp>
#include <legion/core/journal.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/spool_asker.hpp>
#include <legion/runtime/spool_links.hpp>
#include <legion/runtime/spool_service.hpp>
#include <legion/transport/free_ports.hpp>
#include <legion/transport/zap_server.hpp>

#include "spool_fake_store.hpp"
#include "support/poll.hpp"

namespace legion::test {

/// A frame of `count` events with `bytes` of data each.
inline SharedBytes make_frame(const Origin& origin, std::string_view type, std::uint64_t first, std::uint32_t count = 1,
                              std::size_t bytes = 100) {
  MsgpackWriter data;
  data.bin(Bytes(bytes, 0x5a));
  Event event;
  event.type = std::string(type);
  event.source = origin.node + "/test";
  event.time = WallTime{1'700'000'000'000'000'000 + static_cast<std::int64_t>(first)};
  event.data = data.take();
  FrameBuilder builder;
  builder.begin(origin, Priority::Normal, type, 0, first);
  for (std::uint32_t i = 0; i < count; ++i)
    builder.append(encode_event(event, 0, limits::event_bytes_max).value().bytes);
  return std::make_shared<const Bytes>(builder.finish());
}

/// A context in which sockets can bind.
struct Sockets {
  std::unique_ptr<transport::Context> context = transport::Context::create().value();
  std::unique_ptr<transport::ZapServer> zap = transport::ZapServer::start(*context).value();
};

/// The spool service over real sockets. Turns are the test's, or those of a thread.
class TestSpool {
 public:
  explicit TestSpool(std::shared_ptr<FakeDisk> disk, SpoolService::Options options = {}, std::string at = {})
      : disk_(std::move(disk)), uri_(std::move(at)) {
    server_ = transport::SpoolServer::create(*sockets_.context).value();
    EXPECT_TRUE(eventually([&] {
      const auto port = transport::find_free_ports("127.0.0.1", 1);
      auto bound = server_->bind(uri_.empty() ? "tcp://127.0.0.1:" + std::to_string(*port) : uri_);
      if (bound) uri_ = *bound;
      return bound.has_value();
    }));
    SpoolService::Backend backend;
    backend.is_gone = [this](const Origin& origin) { return origin.node == gone_node; };
    backend.other_query = [](Now, std::string_view method, BytesView, const SpoolService::Backend::Answer& answer) {
      answer(fail(ErrorCode::NotFound, "nobody knows " + std::string(method)));
    };
    service_ = SpoolService::start(std::make_unique<FakeStore>(disk_), *server_, options, backend,
                                   [](LogLevel, std::string_view) {})
                   .value();
    poller_ = transport::Poller::create().value();
    poller_->add(service_->pollables());
  }
  ~TestSpool() {
    stop();
    service_.reset();
    server_.reset();
  }

  void turn() {
    poller_->wait(Duration::zero());
    service_->on_turn(read_clocks());
  }
  /// From now on on a thread.
  void run() {
    thread_ = std::thread([this] {
      while (!stopping_) {
        poller_->wait(20ms);
        service_->on_turn(read_clocks());
      }
    });
  }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  SpoolService& service() { return *service_; }
  transport::SpoolServer& server() { return *server_; }
  transport::Context& context() { return *sockets_.context; }
  const std::string& uri() const { return uri_; }
  Address address() const { return parse_address(uri_, 0).value(); }
  std::unique_ptr<BlockingSpoolAsker> asker() const { return BlockingSpoolAsker::open(address()).value(); }

  std::string gone_node;

 private:
  std::shared_ptr<FakeDisk> disk_;  // the test looks at it too
  Sockets sockets_;
  std::string uri_;
  std::unique_ptr<transport::SpoolServer> server_;
  std::unique_ptr<SpoolService> service_;
  std::unique_ptr<transport::Poller> poller_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// A node as far as spools are concerned.
class TestNode {
 public:
  TestNode(Origin origin, std::uint8_t boot, Journal::Config config = {})
      : origin_(origin),
        journal_(origin, BootId{{boot}}, config, boot + 1u),
        links_(*sockets_.context, {.redial_max = 200ms}) {}

  void connect(const std::string& spool, const std::string& uri) { ASSERT_TRUE(links_.connect(spool, uri)); }
  void append(std::size_t count, std::size_t bytes = 100) {
    for (std::size_t i = 0; i < count; ++i) {
      JournalFrame frame;
      frame.first = ++last_;
      frame.count = 1;
      frame.bytes = make_frame(origin_, "trade.approved", last_, 1, bytes);
      frame.type = decode_frame_header(*frame.bytes).value().type;
      journal_.append(read_clocks(), JournalKind::Confirmed, std::move(frame));
    }
  }
  void turn() {
    const Now now = read_clocks();
    links_.pump(now, journal_);
    journal_.on_tick(now);
    for (const auto& effect : journal_.take_effects()) {
      if (const auto* send = std::get_if<Journal::Send>(&effect)) links_.send(*send);
      if (const auto* durable = std::get_if<Journal::Durable>(&effect)) durable_ = durable->through;
      if (const auto* line = std::get_if<Journal::LogLine>(&effect)) log_.push_back(line->text);
    }
  }
  void close() { journal_.close(read_clocks()); }

  Position durable() const { return durable_; }
  Journal& journal() { return journal_; }
  SpoolLinks& links() { return links_; }
  const std::vector<std::string>& log() const { return log_; }

 private:
  Sockets sockets_;
  Origin origin_;
  Journal journal_;
  SpoolLinks links_;
  std::uint64_t last_ = 0;
  Position durable_ = 0;
  std::vector<std::string> log_;
};

/// 1, 2, .. last
inline std::vector<Position> up_to(Position last) {
  std::vector<Position> all;
  for (Position at = 1; at <= last; ++at) all.push_back(at);
  return all;
}

}  // namespace legion::test
