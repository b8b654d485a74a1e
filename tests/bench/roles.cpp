#include "roles.hpp"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iostream>
#include <string>
#include <thread>

namespace legion::bench {

namespace {

constexpr std::uint32_t warm_ups_per_second = 100;
constexpr std::uint32_t ticks_per_second_max = 10'000;
constexpr std::uint64_t ticks_behind_max = 100;  // what a publisher that was held up longer does not catch up with
/// Long enough for the loop to take what is queued while this thread leaves it the core, short against the time in
/// which it empties a full queue (8,192 events, some ms): a publisher that is told to try again neither spins away the
/// core that would make room nor lets the queue run dry.
constexpr Duration blocked_wait = 100us;

/// Ticks at a fixed rate.
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

  /// Returns how many ticks have passed since the last call: more than one after a delay, so that the rate holds.
  std::uint64_t wait() const {
    std::uint64_t passed = 0;
    while (::read(fd_, &passed, sizeof passed) < 0 && errno == EINTR) {
    }
    return std::clamp<std::uint64_t>(passed, 1, ticks_behind_max);
  }

 private:
  int fd_;
};

bool input_waits(Duration timeout) {
  pollfd item{STDIN_FILENO, POLLIN, 0};
  const timespec limit{0, static_cast<long>(timeout.count())};
  return ::ppoll(&item, 1, &limit, nullptr) > 0;
}

struct Published {
  std::uint64_t count = 0;
  std::uint64_t blocked = 0;  ///< times it was told to try again
  bool failed = false;
};

/// One publishing thread.
class PublisherRun {
 public:
  PublisherRun(const Outlet& outlet, Pace pace, SteadyTime begin)
      : outlet_(outlet), pace_(pace), end_(begin + pace.length()) {}

  Published run() {
    if (pace_.per_second > 0)
      run_paced();
    else
      run_freely();
    return published_;
  }

 private:
  void run_freely() {
    for (SteadyTime now = steady_now(); now < end_ && !published_.failed; now = steady_now()) {
      for (std::uint64_t i = 0; i < clock_every && !published_.failed; ++i) send(now);
    }
  }

  void run_paced() {
    const std::uint32_t per_tick = (pace_.per_second + ticks_per_second_max - 1) / ticks_per_second_max;
    const Ticks ticks(pace_.per_second / per_tick);
    while (steady_now() < end_ && !published_.failed) {
      std::uint64_t due = ticks.wait() * per_tick;
      for (; due > 0 && !published_.failed; --due) send(steady_now());
    }
  }

  void send(SteadyTime now) {
    const std::uint64_t number = published_.count + 1;
    const Payload payload{outlet_.flow, number, now, 60'000.0 + static_cast<double>(number % 1000) / 10, 0.25};
    Sent sent = outlet_.send(payload);
    for (; sent == Sent::TryAgain; sent = outlet_.send(payload)) {
      ++published_.blocked;
      // The end of input, when nobody is there any more to ask for a report. Nothing else is written meanwhile.
      if (input_waits(blocked_wait)) sent = Sent::Failed;
      if (sent == Sent::Failed) break;
    }
    if (sent == Sent::Yes)
      ++published_.count;
    else
      published_.failed = true;
  }

  const Outlet& outlet_;
  const Pace pace_;
  const SteadyTime end_;
  Published published_;
};

/// The first outlet publishes on the calling thread.
bool publish_all(Pace pace, const std::vector<Outlet>& outlets) {
  const SteadyTime begin = steady_now();
  std::vector<Published> done(outlets.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < outlets.size(); ++i) {
    threads.emplace_back([&, i] { done[i] = PublisherRun(outlets[i], pace, begin).run(); });
  }
  done[0] = PublisherRun(outlets[0], pace, begin).run();
  for (std::thread& thread : threads) thread.join();
  const Duration elapsed = steady_now() - begin;

  nlohmann::json counts = nlohmann::json::array();
  std::uint64_t blocked = 0;
  for (const Published& published : done) {
    if (published.failed) return false;
    counts.push_back(published.count);
    blocked += published.blocked;
  }
  say({{"published", counts}, {"elapsed_ns", elapsed.count()}, {"blocked", blocked}});
  return true;
}

void warm_up(const std::vector<Outlet>& outlets) {
  const Ticks ticks(warm_ups_per_second);
  while (!input_waits(Duration{0})) {
    for (const Outlet& outlet : outlets) outlet.send({outlet.flow, warm_up_number, steady_now()});
    ticks.wait();
  }
}

}  // namespace

int serve(const std::vector<std::uint16_t>& ports, Pace pace, const std::vector<Outlet>& outlets,
          const Meters& meters) {
  say({{"ready", ports}});
  if (!outlets.empty()) warm_up(outlets);
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line == "report") say(meters.report());
    if (line == "go" && !publish_all(pace, outlets)) return complain({ErrorCode::Internal, "publishing failed"});
  }
  return 0;
}

int complain(const Error& error) {
  std::cerr << "legion-bench: " << error.message << '\n';
  return 1;
}

}  // namespace legion::bench
