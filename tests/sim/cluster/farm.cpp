#include "farm.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iterator>
#include <map>
#include <optional>
#include <type_traits>

#include <sys/syscall.h>

#include "environment.hpp"

namespace legion::sim {

namespace {

/// The machine's own clock: the simulated one stands still here.
double wall_seconds() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

SeedSummary summary_of(const RunResult& result) {
  SeedSummary summary;
  static_cast<RunFigures&>(summary) = result;
  summary.seed = result.seed;
  summary.digest = result.digest;
  summary.simulated_ns = result.simulated.count();
  summary.hosts = result.hosts;
  summary.wild = result.wild ? 1u : 0u;
  summary.violations = static_cast<std::uint32_t>(result.violations.size());
  return summary;
}

bool write_all(int fd, const void* data, std::size_t bytes) {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd, at, bytes);
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

/// Announces each seed before it runs, so that one that kills the worker is known.
void work(int out, const std::vector<std::uint64_t>& seeds, RunResult (*run)(std::uint64_t seed)) {
  for (const std::uint64_t seed : seeds) {
    if (!write_all(out, "B", 1) || !write_all(out, &seed, sizeof seed)) return;
    const RunResult result = run(seed);
    std::string report;
    for (const Violation& violation : result.violations) report += violation.guarantee + ": " + violation.text + '\n';
    const SeedSummary summary = summary_of(result);
    const std::uint64_t bytes = report.size();
    if (!write_all(out, "E", 1) || !write_all(out, &summary, sizeof summary) || !write_all(out, &bytes, sizeof bytes))
      return;
    if (!write_all(out, report.data(), report.size())) return;
  }
}

static_assert(std::is_trivially_copyable_v<SeedSummary>);

struct Worker {
  pid_t pid = -1;
  int in = -1;
  std::string buffer;
  std::optional<std::uint64_t> running;
  bool stopped = false;
};

constexpr int ending_signals[] = {SIGINT, SIGTERM};
constexpr int signal_patience_ms = 500;
volatile std::sig_atomic_t signalled = 0;

/// While it lives, a signal that asks for the end is noted, and whoever waits for news wakes up.
class SignalWatch {
 public:
  SignalWatch() {
    struct sigaction action{};
    action.sa_handler = [](int) { signalled = 1; };
    for (std::size_t i = 0; i < std::size(ending_signals); ++i) ::sigaction(ending_signals[i], &action, &before_[i]);
  }
  ~SignalWatch() {
    for (std::size_t i = 0; i < std::size(ending_signals); ++i) ::sigaction(ending_signals[i], &before_[i], nullptr);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct sigaction before_[std::size(ending_signals)];
};

class Farm {
 public:
  explicit Farm(const FarmOptions& options) : options_(options) {}

  FarmTotals run() {
    const double began = wall_seconds();
    const SignalWatch watch;
    for (unsigned i = 0; i < options_.workers; ++i) begin_worker();
    while (!workers_.empty()) wait_for_news();
    totals_.wall_seconds = wall_seconds() - began;
    return std::move(totals_);
  }

 private:
  bool wants_more() const { return totals_.failures.size() < options_.failures_max && !totals_.interrupted; }

  void stop_workers() {
    for (Worker& worker : workers_) {  // what they would still find does not matter any more
      ::kill(worker.pid, SIGKILL);
      worker.running.reset();
      worker.stopped = true;
    }
  }

  void begin_worker() {
    std::vector<std::uint64_t> seeds;
    std::uint64_t seed = 0;
    while (wants_more() && seeds.size() < options_.block && options_.next(seed)) seeds.push_back(seed);
    if (seeds.empty()) return;
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (const int number : ending_signals) ::signal(number, SIG_DFL);
      ::close(ends[0]);
      work(ends[1], seeds, options_.run);
      std::fflush(nullptr);
      ::_exit(0);
    }
    ::close(ends[1]);
    workers_.push_back({.pid = pid, .in = ends[0], .buffer = {}, .running = {}});
  }

  void wait_for_news() {
    std::vector<pollfd> polled;
    for (const Worker& worker : workers_) polled.push_back({.fd = worker.in, .events = POLLIN, .revents = 0});
    // A signal between two waits is seen a moment later.
    const int count = ::poll(polled.data(), polled.size(), signal_patience_ms);
    if (signalled != 0 && !totals_.interrupted) {
      totals_.interrupted = true;
      stop_workers();
    }
    if (count <= 0) return;
    for (std::size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      char bytes[1 << 16];
      const ssize_t got = ::read(workers_[i].in, bytes, sizeof bytes);
      if (got > 0) {
        workers_[i].buffer.append(bytes, static_cast<std::size_t>(got));
        read_news(workers_[i]);
      } else {
        end_worker(i);
      }
    }
  }

  void read_news(Worker& worker) {
    std::string& buffer = worker.buffer;
    while (!buffer.empty()) {
      constexpr std::size_t begin_bytes = 1 + sizeof(std::uint64_t);
      constexpr std::size_t end_bytes = 1 + sizeof(SeedSummary) + sizeof(std::uint64_t);
      if (buffer[0] == 'B') {
        if (buffer.size() < begin_bytes) return;
        std::uint64_t seed = 0;
        std::memcpy(&seed, buffer.data() + 1, sizeof seed);
        if (!worker.stopped) worker.running = seed;
        buffer.erase(0, begin_bytes);
        continue;
      }
      if (buffer.size() < end_bytes) return;
      SeedSummary summary;
      std::uint64_t bytes = 0;
      std::memcpy(&summary, buffer.data() + 1, sizeof summary);
      std::memcpy(&bytes, buffer.data() + 1 + sizeof summary, sizeof bytes);
      if (buffer.size() < end_bytes + bytes) return;
      add(summary, buffer.substr(end_bytes, bytes));
      worker.running.reset();
      buffer.erase(0, end_bytes + bytes);
    }
  }

  void add(const SeedSummary& summary, std::string report) {
    ++totals_.seeds;
    totals_.wild += summary.wild;
    totals_.simulated += Duration{summary.simulated_ns};
    totals_.cluster_hours += static_cast<double>(summary.simulated_ns) / 3600e9;
    totals_ += summary;
    if (summary.violations > 0) totals_.failures.push_back({summary.seed, std::move(report)});
    if (!wants_more()) stop_workers();
  }

  void end_worker(std::size_t place) {
    const Worker worker = std::move(workers_[place]);
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(place));
    ::close(worker.in);
    int status = 0;
    ::waitpid(worker.pid, &status, 0);
    remove_files_of(worker.pid);
    if (worker.running && !worker.stopped) {
      totals_.worker_died = true;
      const std::string how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                                  : "status " + std::to_string(WEXITSTATUS(status));
      totals_.failures.push_back({*worker.running, "the process ended with " + how + " in the middle of the run\n"});
    }
    begin_worker();
  }

  const FarmOptions& options_;
  FarmTotals totals_;
  std::vector<Worker> workers_;
};

}  // namespace

RunFigures& RunFigures::operator+=(const RunFigures& more) {
  for (std::size_t i = 0; i < fault_count; ++i) faults[i] += more.faults[i];
  published += more.published;
  handed += more.handed;
  lives += more.lives;
  dropped_full += more.dropped_full;
  unsynced_undone += more.unsynced_undone;
  failed_writes += more.failed_writes;
  short_writes += more.short_writes;
  return *this;
}

FarmTotals run_farm(const FarmOptions& options) { return Farm(options).run(); }

std::string describe(const FarmTotals& totals) {
  char line[512];
  std::snprintf(line, sizeof line,
                "%llu seeds (%llu wild), %.2f simulated cluster-hours in %.1f s: %.1f cluster-hours a minute\n"
                "%llu events published, %llu hand-overs, %llu lives of nodes\n",
                static_cast<unsigned long long>(totals.seeds), static_cast<unsigned long long>(totals.wild),
                totals.cluster_hours, totals.wall_seconds,
                totals.cluster_hours / std::max(totals.wall_seconds, 1e-9) * 60,
                static_cast<unsigned long long>(totals.published), static_cast<unsigned long long>(totals.handed),
                static_cast<unsigned long long>(totals.lives));
  std::string text = line;
  text += "faults:";
  for (std::size_t i = 0; i < fault_count; ++i) {
    text += ' ' + std::string(to_string(static_cast<Fault>(i))) + ' ' + std::to_string(totals.faults[i]);
  }
  text += "\nmessages dropped at high-water marks " + std::to_string(totals.dropped_full) +
          ", files torn by power cuts " + std::to_string(totals.unsynced_undone) + ", writes that failed " +
          std::to_string(totals.failed_writes) + ", short ones " + std::to_string(totals.short_writes);
  if (totals.interrupted) text += "\nstopped by a signal before its end";
  return text + '\n';
}

}  // namespace legion::sim
