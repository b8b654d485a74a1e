#include <memory>
#include <vector>

#include "benches.hpp"
#include "spool_runs.hpp"
#include "spool_store_kit.hpp"

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

/// Plain SQLite with an fsync for each commit of 4 MiB: events/s if blobs of them were all that is stored.
double sqlite_events_per_s(Data data, Duration length) {
  constexpr std::size_t commit_bytes = 4 << 20;
  Frames frames(data, SIZE_MAX);
  std::uint64_t bytes = 0;
  for (const JournalRecord& record : frames.next(commit_bytes)) bytes += record.frame->size();
  const double event_bytes = static_cast<double>(bytes) / static_cast<double>(frames.events());
  return sqlite_blob_rate([&] { return frames.next(commit_bytes); }, length) / event_bytes;
}

}  // namespace

Result<void> spool_confirmed(const Effort& effort) {
  struct Variant {
    const char* name;
    const char* data;
    Data blobs;
  };
  for (const Variant& variant :
       {Variant{"typical", "trades", Data::Typical}, Variant{"incompressible", "noise", Data::Incompressible}}) {
    const Pace pace{.length_ms = effort.length(30s).count()};
    const auto runs = run_several(effort, pace, variant.data);
    if (!runs) return std::unexpected(runs.error());
    const double blobs = sqlite_events_per_s(variant.blobs, effort.length(5s));
    const DiskTime disk = time_fsync();
    Line line = make_line(effort,
                          {.bench = "spool_confirmed", .variant = variant.name, .unit = "events/s",
                           .baseline = "SQLite, the same bytes as blobs, fsync for every 4 MiB"},
                          middle(*runs, &ConfirmRun::per_s), blobs);
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
