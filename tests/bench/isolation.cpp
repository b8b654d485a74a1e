#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include <legion/base/limits.hpp>
#include <legion/event/priority.hpp>
#include <legion/transport/lane_settings.hpp>

#include "benches.hpp"
#include "pairs.hpp"

namespace legion::bench {

namespace {

constexpr std::size_t others = 3;  // the subscribers that run in either case: roles 1 to 3
constexpr std::size_t victim = 4;  // the role that is stopped or not
constexpr std::uint32_t paced_per_second = 50'000;  // four times as many are handled, below what two cores manage

constexpr double mib = 1024 * 1024;

/// What docs/architecture.md states for the one lane in use, for all four peers: as fast as it goes, those that run may
/// fall behind as well.
constexpr double growth_bound_mib() {
  const auto marks = transport::lane_settings[lane_index(Priority::Normal)].high_water_mark;
  return static_cast<double>(others + 1) * static_cast<double>(marks) * static_cast<double>(limits::frame_bytes_target) / mib;
}

GroupSpec group(Pace pace, Timing timing) {
  GroupSpec spec{.roles = {publisher({{0, {normal_type}}}, pace)}};
  for (std::size_t i = 1; i <= others + 1; ++i) {
    spec.roles.push_back(subscriber("subscriber-" + std::to_string(i), normal_type, {0}, timing));
  }
  return spec;
}

/// A stopped process leaves its share of the cores to the others, who may well be faster for it: what the stall itself
/// costs shows beside the same mesh without the fourth.
struct Cases {
  Series running;
  Series stopped;
  Series absent;
};

Result<Cases> run_cases(const Effort& effort, const GroupSpec& running) {
  const Interrupts interrupts;
  GroupSpec stopped = running;
  stopped.stopped = victim;
  GroupSpec absent = running;
  absent.roles.resize(victim);
  Cases cases;
  const std::array steps{std::pair{&running, &cases.running}, std::pair{&std::as_const(stopped), &cases.stopped},
                         std::pair{&std::as_const(absent), &cases.absent}};
  for (int run = 0; run < effort.runs; ++run) {
    for (const auto& [spec, series] : steps) {
      auto done = run_group(interrupts, *spec);
      if (!done) return std::unexpected(done.error());
      series->runs.push_back(std::move(*done));
    }
  }
  return cases;
}

using OfMeter = double (*)(const MeterRun& meter);

double per_s(const MeterRun& meter) { return meter.per_s; }
double p50(const MeterRun& meter) { return meter.p50_us; }
double p99(const MeterRun& meter) { return meter.p99_us; }

double least(const GroupRun& run, OfMeter figure) {
  double value = std::numeric_limits<double>::max();
  for (std::size_t i = 1; i <= others; ++i) value = std::min(value, figure(run[i].meters[0]));
  return value;
}

double most(const GroupRun& run, OfMeter figure) {
  double value = 0;
  for (std::size_t i = 1; i <= others; ++i) value = std::max(value, figure(run[i].meters[0]));
  return value;
}

double mean(const GroupRun& run, OfMeter figure) {
  double sum = 0;
  for (std::size_t i = 1; i <= others; ++i) sum += figure(run[i].meters[0]);
  return sum / others;
}

using OfMeters = double (*)(const GroupRun& run, OfMeter figure);

double middle(const Series& series, OfMeters how, OfMeter figure) {
  return series.middle([&](const GroupRun& run) { return how(run, figure); });
}

/// `name` with one stopped, with all running and without the fourth, and the change from the latter two to the first.
void add_change(Line& line, const std::string& name, const Cases& cases, OfMeters how, OfMeter figure, int decimals) {
  const double stopped = middle(cases.stopped, how, figure);
  const double running = middle(cases.running, how, figure);
  const double absent = middle(cases.absent, how, figure);
  line[name] = rounded(stopped, decimals);
  line["baseline_" + name] = rounded(running, decimals);
  line["absent_" + name] = rounded(absent, decimals);
  line[name + "_change_percent"] = percent_change(stopped, running);
  line[name + "_change_from_absent_percent"] = percent_change(stopped, absent);
}

std::uint64_t lost_by_others(const GroupRun& run) {
  std::uint64_t sum = 0;
  for (std::size_t i = 1; i <= others; ++i) sum += run[i].meters[0].lost();
  return sum;
}

/// How the stopped subscriber and the publisher fared, for both cases.
void add_costs(Line& line, const Cases& cases) {
  const auto growth = [](const GroupRun& run) { return static_cast<double>(run[0].memory_growth_bytes) / mib; };
  const auto publishing = [](const GroupRun& run) { return run[0].published_per_s; };
  const auto lost_by_victim = [](const GroupRun& run) { return run[victim].meters[0].lost(); };
  line["published_per_s"] = rounded(cases.stopped.middle(publishing), 0);
  line["baseline_published_per_s"] = rounded(cases.running.middle(publishing), 0);
  line["published"] = cases.stopped.total(published);
  line["lost"] = cases.stopped.total(lost_by_others);
  line["lost_by_stopped"] = cases.stopped.total(lost_by_victim);
  line["lost_by_reason"] = lost_by_reason(cases.stopped);
  line["baseline_published"] = cases.running.total(published);
  line["baseline_lost"] = cases.running.total(lost);
  line["publisher_growth_mib"] = rounded(cases.stopped.middle(growth), 1);
  line["baseline_publisher_growth_mib"] = rounded(cases.running.middle(growth), 1);
  line["publisher_growth_bound_mib"] = rounded(growth_bound_mib(), 1);
}

}  // namespace

Result<void> isolation(const Effort& effort) {
  constexpr const char* baseline = "the same three subscribers while the fourth runs too";
  const std::int64_t length_ms = effort.length(3s).count();

  const auto busy = run_cases(effort, group({.length_ms = length_ms}, Timing::Count));
  if (!busy) return std::unexpected(busy.error());
  Line line =
      make_line(effort, {.bench = "isolation", .variant = "throughput", .unit = "events/s", .baseline = baseline},
                middle(busy->stopped, least, per_s), middle(busy->running, least, per_s));
  add_change(line, "min_per_s", *busy, least, per_s, 0);
  add_change(line, "mean_per_s", *busy, mean, per_s, 0);
  add_costs(line, *busy);
  print(line);

  const auto paced = run_cases(effort, group({length_ms, paced_per_second}, Timing::Latency));
  if (!paced) return std::unexpected(paced.error());
  line =
      make_line(effort, {.bench = "isolation", .variant = "paced", .unit = "us", .baseline = baseline, .decimals = 1},
                middle(paced->stopped, most, p99), middle(paced->running, most, p99));
  line["per_second"] = paced_per_second;
  add_change(line, "max_p99_us", *paced, most, p99, 1);
  add_change(line, "mean_p99_us", *paced, mean, p99, 1);
  add_change(line, "mean_p50_us", *paced, mean, p50, 1);
  add_costs(line, *paced);
  print(line);
  return {};
}

}  // namespace legion::bench
