// One run: a seed in, violations and figures out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <legion/base/time.hpp>

#include "evidence.hpp"
#include "plan.hpp"

namespace legion::sim {

/// What happened, counted: of one run, or summed over many. Plain bytes for a pipe.
struct RunFigures {
  std::array<std::uint64_t, fault_count> faults{};  ///< that really happened, by kind
  std::uint64_t published = 0, handed = 0, lives = 0;
  std::uint64_t dropped_full = 0;  ///< messages, at high-water marks
  std::uint64_t unsynced_undone = 0, failed_writes = 0;  ///< files torn by power cuts; writes that met a bad disk
  std::uint64_t short_writes = 0;

  RunFigures& operator+=(const RunFigures& more);
};

struct RunResult : RunFigures {
  std::uint64_t seed = 0;
  std::vector<Violation> violations;
  std::uint64_t digest = 0;
  Duration simulated{};
  std::size_t hosts = 0;
  bool wild = false;
};

/// Begins with Kernel::reset(). Uses /dev/shm for the small files of nodes.
RunResult run_seed(std::uint64_t seed);
/// The same for a plan that was not drawn. It names its seed.
RunResult run_plan(Plan plan);

}  // namespace legion::sim
