// The processes of the spool benchmarks: a node that is a spool, and one that publishes confirmed events to it.
#include <atomic>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <random>

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <legion/base/assert.hpp>
#include <legion/base/histogram.hpp>
#include <legion/config/config.hpp>
#include <legion/daemon/options.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/node_host.hpp>

#include "roles.hpp"
#include "spool_runs.hpp"

namespace legion::bench {

namespace {

constexpr std::size_t variants = 4096;                       // different data, published in turn
constexpr Duration blocked_wait = 100us;

class Source final : public Agent {
 public:
  void start(AgentServices& services) override {
    services_ = &services;
    services.agent_up();
  }
  std::optional<Outcome> deliver(const Delivery&) override { return Outcome::done(); }
  void stop(Duration) override {}
  AgentServices& services() { return *services_; }

 private:
  AgentServices* services_ = nullptr;
};

/// Trades like those of the sample: a price that walks in steps of a tick, sizes of very different digits.
std::vector<Bytes> trades() {
  std::mt19937_64 random(7);
  std::vector<Bytes> all;
  double price = 105433.6;
  for (std::size_t i = 0; i < variants; ++i) {
    price += static_cast<double>(static_cast<int>(random() % 201) - 100) / 10;
    MsgpackWriter out;
    out.map(6);
    out.str("symbol");
    out.str("XBTUSDT");
    out.str("side");
    out.str(random() % 2 == 0 ? "buy" : "sell");
    out.str("price");
    out.float64(price);
    out.str("volume");
    out.float64(static_cast<double>(random() % 100000) / 1e8);
    out.str("time");
    out.float64(1762795433.0 + static_cast<double>(i) * 7.3);
    out.str("note");
    out.str(std::string(payload_bytes - out.size() - 1, '.').substr(0, 31));
    all.push_back(out.take());
  }
  return all;
}

std::vector<Bytes> noise() {
  std::mt19937_64 random(11);
  std::vector<Bytes> all;
  for (std::size_t i = 0; i < variants; ++i) {
    Bytes bytes(payload_bytes - 2);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    MsgpackWriter out;
    out.bin(bytes);
    all.push_back(out.take());
  }
  return all;
}

Result<NodeConfig> config_of(const RoleSpec& spec) {
  std::string text = "[node]\nname = \"" + spec.name + "\"\nlisten = \"tcp://" + loopback + ":0\"\nstate_dir = \"" +
                     spec.state_dir + "\"\n";
  if (!spec.ports.empty()) text += "join = [\"" + Address{loopback, spec.ports.front()}.uri() + "\"]\n";
  if (spec.kind == Kind::Spool) text += "[spool]\n";
  auto config = parse_config(text, "benchmark", {});
  if (config) return std::move(*config);
  return fail(ErrorCode::Configuration,
              config.error().empty() ? "no configuration" : to_string(config.error().front()));
}

void log(LogLevel level, std::string_view text) {
  if (level >= LogLevel::Error) std::cerr << "legion-bench: " << text << '\n';
}

/// Waits until the last event that was published is confirmed: so are all before it.
class LastConfirm {
 public:
  void on_confirm(const Confirm& confirm) {
    const std::lock_guard lock(mutex_);
    came_ = confirm.status == Confirm::Status::Confirmed;
    over_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return over_; });
    return came_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  bool came_ = false;
};

class ConfirmedPublisher {
 public:
  ConfirmedPublisher(AgentServices& services, std::vector<Bytes> data) : services_(services), data_(std::move(data)) {
    event_.type = confirmed_type;
  }

  /// As fast as the journal takes them, for `length`; returns once the last one is confirmed.
  void flood(Duration length) {
    const SteadyTime begin = steady_now();
    const SteadyTime end = begin + length;
    while (steady_now() < end) {
      for (std::uint64_t i = 0; i < clock_every; ++i) send({});
    }
    LastConfirm last;
    PublishOptions options;
    options.on_confirmed = [&](const Confirm& confirm) { last.on_confirm(confirm); };
    send(std::move(options));
    const bool confirmed = last.wait();
    const Duration elapsed = steady_now() - begin;
    say({{"confirmed", confirmed ? published_ : 0}, {"elapsed_ns", elapsed.count()}, {"blocked", blocked_}});
  }

  /// At a fixed rate, each with its confirm timed.
  void paced(Duration length, std::uint32_t per_second) {
    const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    LEGION_ASSERT(timer >= 0);
    itimerspec when{};
    when.it_interval = {0, 1'000'000'000 / static_cast<long>(per_second)};
    when.it_value = when.it_interval;
    ::timerfd_settime(timer, 0, &when, nullptr);
    const SteadyTime begin = steady_now();
    while (steady_now() - begin < length) {
      std::uint64_t due = 0;
      if (::read(timer, &due, sizeof due) < 0) continue;
      for (; due > 0; --due) send_timed();
    }
    ::close(timer);
    LastConfirm last;
    PublishOptions options;
    options.on_confirmed = [&](const Confirm& confirm) { last.on_confirm(confirm); };
    send(std::move(options));
    last.wait();
    const std::lock_guard lock(mutex_);
    say({{"confirmed", latency_.count()},
         {"elapsed_ns", (steady_now() - begin).count()},
         {"p50_ns", latency_.percentile(50).count()},
         {"p99_ns", latency_.percentile(99).count()},
         {"max_ns", latency_.max().count()}});
  }

 private:
  void send_timed() {
    PublishOptions options;
    options.on_confirmed = [this, sent = steady_now()](const Confirm& confirm) {
      if (confirm.status != Confirm::Status::Confirmed) return;
      const std::lock_guard lock(mutex_);
      latency_.record(steady_now() - sent);
    };
    send(std::move(options));
  }

  void send(PublishOptions options) {
    event_.data = data_[published_ % data_.size()];
    for (;;) {
      PublishResult result = services_.publish(event_, options);
      if (result) break;
      LEGION_ASSERT(result.status == PublishStatus::WouldBlock);
      ++blocked_;
      // The end of input, when nobody is there any more to ask.
      pollfd input{STDIN_FILENO, POLLIN, 0};
      const timespec limit{0, static_cast<long>(blocked_wait.count())};
      if (::ppoll(&input, 1, &limit, nullptr) > 0) ::_exit(1);
    }
    ++published_;
  }

  AgentServices& services_;
  const std::vector<Bytes> data_;
  Event event_;
  std::uint64_t published_ = 0;
  std::uint64_t blocked_ = 0;
  std::mutex mutex_;  // guards what follows
  LatencyHistogram latency_;
};

/// Of control and, where there is one, of the spool.
std::vector<std::uint16_t> ports_of(const Endpoints& endpoints) {
  std::vector<std::uint16_t> ports{parse_address(endpoints.control, 0).value().port};
  if (!endpoints.spool.empty()) ports.push_back(parse_address(endpoints.spool, 0).value().port);
  return ports;
}

}  // namespace

// Lines a spool role writes: {"ready":[PORT..]}. A publisher: the same, and after "go" what flood() or paced() say.
int spool_role(const RoleSpec& spec) {
  const auto config = config_of(spec);
  if (!config) return complain(config.error());
  auto node = NodeHost::create(node_options(*config, "bench"), log);
  if (!node) return complain(node.error());
  Source* source = nullptr;
  if (spec.kind == Kind::Confirmed) {
    AgentConfig agent;
    agent.name = "source";
    agent.host = SinkConfig{};
    auto hosted = std::make_unique<Source>();
    source = hosted.get();
    (*node)->add_agent(agent_spec(agent), "bench", std::move(hosted), {});
  }
  (*node)->start();
  say({{"ready", ports_of((*node)->endpoints())}});
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line != "go" || source == nullptr) continue;
    ConfirmedPublisher publisher(source->services(), spec.data == "noise" ? noise() : trades());
    if (spec.pace.per_second > 0) {
      publisher.paced(spec.pace.length(), spec.pace.per_second);
    } else {
      publisher.flood(spec.pace.length());
    }
  }
  (*node)->shutdown();
  return 0;
}

}  // namespace legion::bench
