// Many seeds on all cores. Each block of seeds has a process of its own, because dead simulated processes keep their
// memory until it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <legion/base/time.hpp>

#include "run.hpp"

namespace legion::sim {

/// What a worker tells of one seed: plain bytes for a pipe.
struct SeedSummary : RunFigures {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::int64_t simulated_ns = 0;
  std::uint64_t hosts = 0;
  std::uint32_t wild = 0;
  std::uint32_t violations = 0;
};

struct FarmTotals : RunFigures {
  std::uint64_t seeds = 0, wild = 0;
  Duration simulated{};
  double cluster_hours = 0;
  double wall_seconds = 0;
  struct Failure {
    std::uint64_t seed = 0;
    std::string report;
  };
  std::vector<Failure> failures;
  bool worker_died = false;
  bool interrupted = false;  ///< by SIGINT or SIGTERM; what was done until then is counted
};

struct FarmOptions {
  /// The next seed to run; nothing more when `more` says so.
  std::function<bool(std::uint64_t& seed)> next;
  RunResult (*run)(std::uint64_t seed) = &run_seed;
  unsigned workers = 2;
  std::uint64_t block = 16;      ///< seeds of one process
  std::size_t failures_max = 1;  ///< stop after so many
};

FarmTotals run_farm(const FarmOptions& options);
std::string describe(const FarmTotals& totals);

}  // namespace legion::sim
