// legion-sim: whole meshes of real nodes on a simulated machine, from one seed.
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include <legion/base/units.hpp>

#include "environment.hpp"
#include "farm.hpp"
#include "kernel/kernel.hpp"
#include "measure.hpp"
#include "plan_groups.hpp"
#ifdef LEGION_PLANTED_BUGS
#include "planted_table.hpp"
#endif
#include "run.hpp"

namespace {

using namespace legion;
using namespace legion::sim;

constexpr int misuse = 64;
constexpr int interrupted = 130;

double wall_seconds() {
  timespec now{};
  ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::uint64_t draw_seed_base() {
  std::uint64_t drawn = 0;
  if (::syscall(SYS_getrandom, &drawn, sizeof drawn, 0) != sizeof drawn) std::abort();
  return drawn >> 24;  // short enough to be typed
}

int list_faults() {
  for (std::size_t i = 0; i < fault_count; ++i) {
    const auto fault = static_cast<Fault>(i);
    std::printf("%-14s %s\n", std::string(to_string(fault)).c_str(), std::string(describe(fault)).c_str());
  }
  return 0;
}

int run_one(std::uint64_t seed, bool traced) {
  Kernel::get().want_trace(traced ? Kernel::Trace::On : Kernel::Trace::Off);
  const double began = wall_seconds();
  const RunResult result = run_seed(seed);
  std::printf(
      "seed %llu: %.1f simulated seconds in %.2f s, %zu hosts, %llu lives, %llu events, %llu hand-overs, digest "
      "%016llx\n",
      static_cast<unsigned long long>(seed), static_cast<double>(result.simulated.count()) / 1e9,
      wall_seconds() - began, result.hosts, static_cast<unsigned long long>(result.lives),
      static_cast<unsigned long long>(result.published), static_cast<unsigned long long>(result.handed),
      static_cast<unsigned long long>(result.digest));
  for (const Violation& violation : result.violations) {
    std::printf("VIOLATION of %s: %s\n", violation.guarantee.c_str(), violation.text.c_str());
  }
  return result.violations.empty() ? 0 : 1;
}

int run_many(FarmOptions options) {
  const FarmTotals totals = run_farm(options);
  for (const FarmTotals::Failure& failure : totals.failures) {
    std::printf("seed %llu FAILS: %s  again: legion-sim --seed %llu --trace\n",
                static_cast<unsigned long long>(failure.seed), failure.report.c_str(),
                static_cast<unsigned long long>(failure.seed));
  }
  std::fputs(describe(totals).c_str(), stdout);
  if (!totals.failures.empty()) return 1;
  return totals.interrupted ? interrupted : 0;
}

std::optional<std::uint64_t> seed_of(std::string_view text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return seed;
}

int misused(const std::string& what) {
  std::fprintf(stderr, "legion-sim: %s\n", what.c_str());
  return misuse;
}

/// Lines "SEED words"; those of `#` are for people. Empty where something was wrong, which has been said.
std::optional<std::vector<std::uint64_t>> read_seeds(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    misused("cannot read " + path);
    return std::nullopt;
  }
  std::vector<std::uint64_t> seeds;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const auto seed = seed_of(std::string_view(line).substr(0, line.find(' ')));
    if (!seed) {
      misused(path + ":" + std::to_string(number) + ": no seed: " + line);
      return std::nullopt;
    }
    seeds.push_back(*seed);
  }
  return seeds;
}

/// "A..B", both included, or one seed.
std::optional<std::pair<std::uint64_t, std::uint64_t>> range_of(std::string_view text) {
  const std::size_t dots = text.find("..");
  const auto first = seed_of(text.substr(0, dots));
  const auto last = dots == std::string_view::npos ? first : seed_of(text.substr(dots + 2));
  if (!first || !last || *last < *first || *last - *first >= 100'000'000) return std::nullopt;
  return std::pair{*first, *last};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Whole meshes on a simulated machine");
  std::optional<std::uint64_t> seed;
  std::string range, duration, file;
  bool traced = false, lists = false, twice = false, measures = false;
  std::size_t failures_max = 1;
  auto workers = static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
  app.add_option("--seed", seed, "run this seed")->check(CLI::NonNegativeNumber);
  app.add_flag("--trace", traced, "with --seed: say what happens");
  app.add_flag("--twice", twice, "with --seed: run it twice, and fail unless both runs are the same");
  app.add_option("--seeds", range, "A..B: run these seeds");
  app.add_option("--file", file, "run the seeds of this file, a line each, besides those of --seeds");
  app.add_option("--for", duration, "run random seeds for so long");
  app.add_option("--failures", failures_max, "go on until so many seeds have failed (1)");
  app.add_option("--workers", workers, "processes at once (one a core)")->check(CLI::Range(1u, 1024u));
  app.add_flag("--measure", measures,
               "say how fast calm meshes of 5 nodes and 2 spools are simulated, as JSON objects");
  app.add_flag("--list-faults", lists, "name what can go wrong");
#ifdef LEGION_PLANTED_BUGS
  bool table = false;
  PlantedTable planted;
  std::string bug;
  app.add_flag("--table", table, "plant each known bug and print which seed finds it");
  app.add_option("--seeds-max", planted.seeds_max, "with --table: tried for each bug (100)");
  app.add_option("--bug", bug, "this one alone; with --seed and --seeds: planted there");
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : misuse;
  }
  Environment::sweep();
  if (lists) return list_faults();
  if (measures) return measure(workers);
#ifdef LEGION_PLANTED_BUGS
  if (table) {
    if (!bug.empty() && !plant(bug.c_str())) return misused("no bug is called " + bug);
    planted.workers = workers;
    if (!bug.empty()) planted.only = bug.c_str();
    return print_planted_table(planted) == 0 ? 0 : 1;
  }
  if (!bug.empty() && !plant(bug.c_str())) {
    std::fprintf(stderr, "legion-sim-planted: no bug is called %s\n", bug.c_str());
    return misuse;
  }
#endif
  if (seed) {
    const int code = run_one(*seed, traced);
    if (!twice) return code;
    const std::uint64_t digest = Kernel::get().digest();
    const int again = run_one(*seed, traced);
    if (digest != Kernel::get().digest()) std::printf("the two runs differ\n");
    return code != 0 || again != 0 || digest != Kernel::get().digest() ? 1 : 0;
  }
  FarmOptions options;
  options.workers = workers;
  options.failures_max = failures_max;
  if (!range.empty() || !file.empty()) {
    std::vector<std::uint64_t> seeds;
    if (!file.empty()) {
      const auto read = read_seeds(file);
      if (!read) return misuse;
      seeds = *read;
    }
    if (!range.empty()) {
      const auto wanted = range_of(range);
      if (!wanted) return misused("--seeds takes A..B, both included, A <= B: " + range);
      for (std::uint64_t one = wanted->first; one <= wanted->second; ++one) seeds.push_back(one);
    }
    options.next = [seeds, at = std::size_t{0}](std::uint64_t& next) mutable {
      if (at == seeds.size()) return false;
      next = seeds[at++];
      return true;
    };
    return run_many(std::move(options));
  }
  if (duration.empty()) {
    std::fputs(app.help().c_str(), stderr);
    return misuse;
  }
  const auto wanted = parse_duration(duration);
  if (!wanted) return misused("--for " + duration + ": " + wanted.error().message);
  if (*wanted <= Duration{0}) return misused("--for takes a time above 0");
  options.next = [base = draw_seed_base(),
                  until = wall_seconds() + static_cast<double>(wanted->count()) / 1e9](std::uint64_t& next) mutable {
    next = base % 3 == 0 ? base % group_seeds_from + group_seeds_from : base;
    ++base;
    return wall_seconds() < until;
  };
  return run_many(std::move(options));
}
