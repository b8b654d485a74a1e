#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <algorithm>
#include <memory>
#include <vector>

#include "benches.hpp"
#include "children.hpp"
#include "meter.hpp"
#include "role_spec.hpp"
#include "temporary_folder.hpp"

namespace legion::bench {

namespace {

constexpr Duration start_limit = 20s;
constexpr Duration drain_limit = 120s;

struct ConfirmRun {
  double per_s = 0;
  double p50_us = 0, p99_us = 0, max_us = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t blocked = 0;
};

Result<std::unique_ptr<Child>> start(const Interrupts& interrupts, const RoleSpec& role, std::uint16_t& port) {
  auto child = Child::start(interrupts, {"--role", nlohmann::json(role).dump()});
  if (!child) return std::unexpected(child.error());
  const auto ready = (*child)->read_line(start_limit);
  if (!ready) return std::unexpected(ready.error());
  port = ready->at("ready").at(0).get<std::uint16_t>();
  return std::move(*child);
}

/// A spool and a publisher, two processes; every run with an empty store.
Result<ConfirmRun> run_once(const Interrupts& interrupts, Pace pace, const std::string& data) {
  const TemporaryFolder folder;
  if (!folder.exists()) return fail(ErrorCode::Io, "cannot create a temporary folder");
  RoleSpec spool;
  spool.kind = Kind::Spool;
  spool.name = "spool";
  spool.state_dir = folder.inside("spool");
  std::uint16_t port = 0;
  auto spool_process = start(interrupts, spool, port);
  if (!spool_process) return std::unexpected(spool_process.error());
  RoleSpec publisher;
  publisher.kind = Kind::Confirmed;
  publisher.name = "publisher";
  publisher.state_dir = folder.inside("publisher");
  publisher.ports = {port};
  publisher.pace = pace;
  publisher.data = data;
  auto publishing = start(interrupts, publisher, port);
  if (!publishing) return std::unexpected(publishing.error());
  if (auto went = (*publishing)->write_line("go"); !went) return std::unexpected(went.error());
  const auto said = (*publishing)->read_line(pace.length() + drain_limit);
  if (!said) return std::unexpected(said.error());
  ConfirmRun run;
  run.confirmed = said->at("confirmed").get<std::uint64_t>();
  run.per_s = static_cast<double>(run.confirmed) * 1e9 / said->at("elapsed_ns").get<double>();
  run.blocked = said->value("blocked", std::uint64_t{0});
  run.p50_us = said->value("p50_ns", 0.0) / 1e3;
  run.p99_us = said->value("p99_ns", 0.0) / 1e3;
  run.max_us = said->value("max_ns", 0.0) / 1e3;
  if (auto ended = (*publishing)->end(); !ended) return std::unexpected(ended.error());
  if (auto ended = (*spool_process)->end(); !ended) return std::unexpected(ended.error());
  return run;
}

/// Milliseconds an fdatasync of 4 KiB takes in the folder the stores are in: p50 and p99 of 200.
struct DiskTime {
  double p50_us = 0, p99_us = 0;
};
DiskTime time_fsync() {
  const TemporaryFolder folder;
  const int fd = ::open(folder.inside("probe").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  std::vector<double> times;
  const std::vector<char> page(4096, 'x');
  for (int i = 0; fd >= 0 && i < 200; ++i) {
    const SteadyTime begin = steady_now();
    if (::pwrite(fd, page.data(), page.size(), i * 4096) < 0 || ::fdatasync(fd) != 0) break;
    times.push_back(static_cast<double>((steady_now() - begin).count()) / 1e3);
  }
  if (fd >= 0) ::close(fd);
  if (times.empty()) return {};
  std::ranges::sort(times);
  return {times[times.size() / 2], times[times.size() * 99 / 100]};
}

double middle(const std::vector<ConfirmRun>& runs, double ConfirmRun::* figure) {
  std::vector<double> values;
  for (const ConfirmRun& run : runs) values.push_back(run.*figure);
  return median(std::move(values));
}

Result<std::vector<ConfirmRun>> run_several(const Effort& effort, Pace pace, const std::string& data) {
  const Interrupts interrupts;
  std::vector<ConfirmRun> runs;
  for (int i = 0; i < effort.runs; ++i) {
    auto run = run_once(interrupts, pace, data);
    if (!run) return std::unexpected(run.error());
    runs.push_back(*run);
  }
  return runs;
}

}  // namespace

Result<void> spool_confirmed(const Effort& effort) {
  for (const auto& [variant, data] : {std::pair{"typical", "trades"}, std::pair{"incompressible", "noise"}}) {
    const Pace pace{.length_ms = effort.length(30s).count()};
    const auto runs = run_several(effort, pace, data);
    if (!runs) return std::unexpected(runs.error());
    const DiskTime disk = time_fsync();
    Line line = make_line(effort, {.bench = "spool_confirmed", .variant = variant, .unit = "events/s", .baseline = {}},
                          middle(*runs, &ConfirmRun::per_s), 0);
    line["confirmed"] = runs->back().confirmed;
    line["would_block"] = runs->back().blocked;
    line["fsync_p50_us"] = rounded(disk.p50_us, 1);
    line["fsync_p99_us"] = rounded(disk.p99_us, 1);
    print(line);
  }
  return {};
}

Result<void> spool_confirm_latency(const Effort& effort) {
  const Pace pace{.length_ms = effort.length(10s).count(), .per_second = 1000};
  const auto runs = run_several(effort, pace, "trades");
  if (!runs) return std::unexpected(runs.error());
  const DiskTime disk = time_fsync();
  Line line = make_line(effort,
                        {.bench = "spool_confirm_latency", .variant = "1000_per_s", .unit = "us",
                         .baseline = "fdatasync of 4 KiB on the same disk: p50", .decimals = 1},
                        middle(*runs, &ConfirmRun::p50_us), disk.p50_us);
  line["p50_us"] = rounded(middle(*runs, &ConfirmRun::p50_us), 1);
  line["p99_us"] = rounded(middle(*runs, &ConfirmRun::p99_us), 1);
  line["max_us"] = rounded(middle(*runs, &ConfirmRun::max_us), 1);
  line["confirmed"] = runs->back().confirmed;
  line["fsync_p50_us"] = rounded(disk.p50_us, 1);
  line["fsync_p99_us"] = rounded(disk.p99_us, 1);
  print(line);
  return {};
}

}  // namespace legion::bench
