// A node with a durable subscription whose link to an origin is cut again and again, and a plain one beside it that
// tells when the gap could be seen first.
#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>

#include <charconv>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <sstream>

#include <legion/config/config.hpp>
#include <legion/daemon/options.hpp>
#include <legion/runtime/node_host.hpp>

#include "roles.hpp"
#include "spool_runs.hpp"

namespace legion::bench {

namespace {

/// The gaps of one stream, as its plain and its durable reader see them.
class Gaps {
 public:
  struct Repair {
    std::uint64_t events = 0;
    Duration took{};
  };

  void on_live(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    if (live_ > 0 && number > live_ + 1 && !gap_end_) {
      gap_events_ = number - live_ - 1;
      gap_end_ = number - 1;
      seen_ = steady_now();
      look();
    }
    live_ = number;
    changed_.notify_all();
  }

  void on_durable(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    durable_ = number;
    look();
  }

  /// Until both have read the same event, so that a gap made now is the only one.
  void wait_level() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return live_ > 0 && !gap_end_ && durable_ + 100 > live_; });
  }
  Repair wait_repaired() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return repaired_.has_value(); });
    const Repair repair = *repaired_;
    repaired_.reset();
    return repair;
  }

 private:
  void look() {
    if (gap_end_ && durable_ >= *gap_end_) {
      repaired_ = Repair{gap_events_, steady_now() - seen_};
      gap_end_.reset();
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t live_ = 0, durable_ = 0, gap_events_ = 0;
  std::optional<std::uint64_t> gap_end_;
  SteadyTime seen_;
  std::optional<Repair> repaired_;
};

class Reader final : public Agent {
 public:
  explicit Reader(std::function<void(std::uint64_t)> on_number) : on_number_(std::move(on_number)) {}
  void start(AgentServices& services) override { services.agent_up(); }
  Answers answers() const override { return Answers::AtOnce; }
  std::optional<Outcome> deliver(const Delivery& delivery) override {
    const auto payload = read_payload(delivery.event->data);
    if (payload && payload->number != warm_up_number) on_number_(payload->number);
    return Outcome::done();
  }
  void stop(Duration) override {}

 private:
  std::function<void(std::uint64_t)> on_number_;
};

AgentSpec named(std::string name) {
  AgentConfig agent;
  agent.name = std::move(name);
  agent.host = SinkConfig{};
  return agent_spec(agent);
}

void add_reader(NodeHost& node, std::string name, const char* type, std::optional<DurableOptions> durable,
                std::function<void(std::uint64_t)> on_number) {
  SubscriptionOptions options;
  options.spec = {*Filter::parse(type), Priority::Normal};
  options.durable = std::move(durable);
  std::vector<SubscriptionOptions> wanted;
  wanted.push_back(std::move(options));
  node.add_agent(named(std::move(name)), "bench", std::make_unique<Reader>(std::move(on_number)), std::move(wanted));
}

/// As if the network had: connections of this process to that port.
void cut_connections(std::uint16_t port) {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    int fd = -1;
    if (std::from_chars(name.data(), name.data() + name.size(), fd).ec != std::errc{}) continue;
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET) continue;
    if (ntohs(peer.sin_port) == port) ::shutdown(fd, SHUT_RDWR);
  }
  ::closedir(folder);
}

}  // namespace

// Lines it writes: {"ready":[PORT]}; after "cut PORT COUNT" {"repairs":[{"events":N,"ns":N}..]}, each from the first
// event behind a gap at the plain reader to the last one in it at the durable one.
int repair_role(const RoleSpec& spec) {
  auto config = parse_config("[node]\nname = \"" + spec.name + "\"\nlisten = \"tcp://" + loopback +
                                 ":0\"\nstate_dir = \"" + spec.state_dir + "\"\njoin = [\"" +
                                 Address{loopback, spec.ports.front()}.uri() + "\"]\n",
                             "benchmark", {});
  if (!config) return complain({ErrorCode::Configuration, "no configuration"});
  Gaps gaps;  // outlives the node
  auto node = NodeHost::create(node_options(*config, "bench"), [](LogLevel level, std::string_view text) {
    if (level >= LogLevel::Error) std::cerr << "legion-bench: " << text << '\n';
  });
  if (!node) return complain(node.error());
  add_reader(**node, "live", confirmed_type, {}, [&](std::uint64_t number) { gaps.on_live(number); });
  add_reader(**node, "durable", confirmed_type, DurableOptions{"repaired", {}},
             [&](std::uint64_t number) { gaps.on_durable(number); });
  add_reader(**node, "flooded", "market.", {}, [](std::uint64_t) {});
  (*node)->start();
  say({{"ready", {parse_address((*node)->endpoints().control, 0).value().port}}});
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    std::uint16_t port = 0;
    int count = 0;
    if (!(words >> verb >> port >> count) || verb != "cut") continue;
    nlohmann::json repairs = nlohmann::json::array();
    for (; count > 0; --count) {
      gaps.wait_level();
      cut_connections(port);
      const Gaps::Repair repair = gaps.wait_repaired();
      repairs.push_back({{"events", repair.events}, {"ns", repair.took.count()}});
    }
    say({{"repairs", repairs}});
  }
  (*node)->shutdown();
  return 0;
}

}  // namespace legion::bench
