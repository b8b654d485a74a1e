#include <memory>
#include <vector>

#include "benches.hpp"
#include "spool_runs.hpp"

namespace legion::bench {

namespace {

struct ConfirmRun {
  double per_s = 0;
  double p50_us = 0, p99_us = 0, max_us = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t blocked = 0;
};

/// A spool and a publisher, two processes; every run with an empty store.
Result<ConfirmRun> run_once(const Interrupts& interrupts, Pace pace, const std::string& data) {
  SpoolRun spool_run(interrupts);
  if (auto started = spool_run.start_spool(); !started) return std::unexpected(started.error());
  const auto publisher = spool_run.start(confirmed_publisher(pace, data));
  if (!publisher) return std::unexpected(publisher.error());
  const auto said = go(**publisher, pace);
  if (!said) return std::unexpected(said.error());
  ConfirmRun run;
  run.confirmed = said->at("confirmed").get<std::uint64_t>();
  run.per_s = static_cast<double>(run.confirmed) * 1e9 / said->at("elapsed_ns").get<double>();
  run.blocked = said->value("blocked", std::uint64_t{0});
  run.p50_us = said->value("p50_ns", 0.0) / 1e3;
  run.p99_us = said->value("p99_ns", 0.0) / 1e3;
  run.max_us = said->value("max_ns", 0.0) / 1e3;
  if (auto ended = spool_run.end(); !ended) return std::unexpected(ended.error());
  return run;
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
