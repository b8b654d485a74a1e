// Two nodes on the network call each other: one process here, but they would not know.
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <string>

#include <legion/node.hpp>

namespace {

constexpr std::uint64_t rounds = 1000;

struct Ping {
  std::uint64_t number = 0;
  static constexpr auto schema =
      legion::event_schema("example.ping", 1, "A call.", legion::data_field("number", &Ping::number, "from 1 on"));
};

struct Pong {
  std::uint64_t number = 0;
  static constexpr auto schema = legion::event_schema("example.pong", 1, "The answer.",
                                                      legion::data_field("number", &Pong::number, "that of the ping"));
};

legion::Result<legion::Node> make_node(const std::string& name, const std::filesystem::path& folder,
                                       const std::string& join = {}) {
  legion::NodeOptions options;
  options.name = name;
  options.state_dir = folder / name;
  options.spools = legion::NodeOptions::Spools::None;  // nothing here has to survive
  if (!join.empty()) options.join = {join};
  return legion::Node::create(std::move(options));
}

/// The number of the last answer, to be waited for.
class Answered {
 public:
  void set(std::uint64_t number) {
    {
      const std::lock_guard lock(mutex_);
      number_ = number;
    }
    changed_.notify_all();
  }
  bool wait_for(std::uint64_t number, std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return number_ >= number; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t number_ = 0;
};

int run(const std::filesystem::path& folder) {
  auto caller = make_node("caller", folder);
  if (!caller) {
    std::cerr << caller.error().message << '\n';
    return 1;
  }
  auto answerer = make_node("answerer", folder, caller->address());
  if (!answerer) {
    std::cerr << answerer.error().message << '\n';
    return 1;
  }

  // What a handler publishes through its context names the event in hands as its cause.
  const auto answers = answerer->on<Ping>([](const Ping& ping, legion::Context& context) {
    return context.publish(Pong{ping.number}) ? legion::Outcome::done() : legion::Outcome::retry("cannot publish");
  });
  Answered answered;
  const legion::Publisher publisher = caller->publisher("game");
  const auto calls = caller->on<Pong>([&](const Pong& pong) {
    answered.set(pong.number);
    if (pong.number < rounds) publisher.publish(Ping{pong.number + 1});
  });
  if (!answers || !calls || !answerer->start() || !caller->start()) {
    std::cerr << "cannot start\n";
    return 1;
  }

  // The first ball: until the other's subscription has arrived here nobody returns it.
  for (int attempt = 0; attempt < 100; ++attempt) {
    publisher.publish(Ping{1});
    if (answered.wait_for(1, std::chrono::milliseconds(200))) break;
  }
  if (!answered.wait_for(rounds, std::chrono::seconds(60))) {
    std::cerr << "the game came to a halt\n";
    return 1;
  }
  std::cout << rounds << " rounds between " << caller->address() << " and " << answerer->address() << '\n';
  return 0;
}

}  // namespace

int main() {
  const auto folder = std::filesystem::temp_directory_path() / ("legion-ping-pong-" + std::to_string(::getpid()));
  const int code = run(folder);
  std::filesystem::remove_all(folder);
  return code;
}
