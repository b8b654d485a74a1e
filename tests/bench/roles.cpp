#include "roles.hpp"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include <nlohmann/json.hpp>

#include <legion/runtime/clock.hpp>

namespace legion::bench {

namespace {

constexpr std::uint32_t warm_ups_per_second = 100;
constexpr Duration blocked_wait = 1ms;

/// Ticks at a fixed rate; a late one does not move those behind it.
class Ticks {
 public:
  explicit Ticks(std::uint32_t per_second) : fd_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
    constexpr long second_ns = 1'000'000'000;
    itimerspec when{};
    when.it_interval = {second_ns / per_second / second_ns, second_ns / per_second % second_ns};
    when.it_value = when.it_interval;
    timerfd_settime(fd_, 0, &when, nullptr);
  }
  ~Ticks() { ::close(fd_); }
  Ticks(const Ticks&) = delete;
  Ticks& operator=(const Ticks&) = delete;

  void wait() const {
    std::uint64_t passed = 0;
    while (::read(fd_, &passed, sizeof passed) < 0 && errno == EINTR) {
    }
  }

 private:
  int fd_;
};

bool input_waits(Duration timeout) {
  pollfd item{STDIN_FILENO, POLLIN, 0};
  const timespec limit{0, static_cast<long>(timeout.count())};
  return ::ppoll(&item, 1, &limit, nullptr) > 0;
}

Payload payload_number(std::uint64_t number) {
  return {number, read_clocks().steady, 60'000.0 + static_cast<double>(number % 1000) / 10, 0.25};
}

}  // namespace

int drive_publisher(Pace pace, const std::function<Sent(const Payload& payload)>& send) {
  const Ticks warm_up(warm_ups_per_second);
  while (!input_waits(Duration{0})) {
    send(payload_number(warm_up_number));
    warm_up.wait();
  }
  std::string line;
  if (!std::getline(std::cin, line)) return 0;

  std::optional<Ticks> ticks;
  if (pace.per_second > 0) ticks.emplace(pace.per_second);
  std::uint64_t published = 0;
  std::uint64_t blocked = 0;
  const SteadyTime begin = read_clocks().steady;
  SteadyTime now = begin;
  while (now - begin < pace.length) {
    if (ticks) ticks->wait();
    Sent sent = send(payload_number(published + 1));
    for (; sent == Sent::TryAgain; sent = send(payload_number(published + 1))) {
      ++blocked;
      if (input_waits(blocked_wait)) return 0;
    }
    if (sent == Sent::Failed) return 1;
    ++published;
    now = read_clocks().steady;
  }
  const nlohmann::json report{{"published", published}, {"elapsed_ns", (now - begin).count()}, {"blocked", blocked}};
  std::cout << report.dump() << std::endl;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

void Meter::on_arrival(BytesView data, SteadyTime now) {
  const auto payload = read_payload(data);
  const std::lock_guard lock(mutex_);
  if (!payload) {
    ++bad_;
    return;
  }
  if (!heard_) {
    heard_ = true;
    std::cout << "{\"heard\":true}" << std::endl;
  }
  if (payload->number == warm_up_number) return;
  if (delivered_++ == 0) first_ = now;
  last_ = now;
  latency_.record(now - payload->sent);
}

std::string Meter::report() const {
  const std::lock_guard lock(mutex_);
  const nlohmann::json report{
      {"delivered", delivered_},
      {"first_ns", first_.ns},
      {"last_ns", last_.ns},
      {"p50_ns", latency_.percentile(50).count()},
      {"p99_ns", latency_.percentile(99).count()},
      {"max_ns", latency_.max().count()},
      {"bad", bad_},
  };
  return report.dump();
}

int answer_reports(const Meter& meter) {
  std::string line;
  while (std::getline(std::cin, line)) std::cout << meter.report() << std::endl;
  return 0;
}

void say_ready(std::uint16_t port) { std::cout << nlohmann::json{{"ready", port}}.dump() << std::endl; }

int complain(const Error& error) {
  std::cerr << "legion-bench: " << error.message << '\n';
  return 1;
}

}  // namespace legion::bench
