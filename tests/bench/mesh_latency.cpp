#include "benches.hpp"
#include "pairs.hpp"

namespace legion::bench {

Result<void> mesh_latency(const Effort& effort) {
  const Pace pace{.length_ms = effort.length(3s).count(), .per_second = 1000};
  const auto both = run_both(effort, {.roles = {subscriber("subscriber", normal_type, {0}, Timing::Latency),
                                                publisher({{0, {normal_type}}}, pace)}});
  if (!both) return std::unexpected(both.error());
  print(latency_line(
      effort,
      {.bench = "mesh_latency", .variant = "idle", .unit = "us", .baseline = "libzmq PUB/SUB, one way", .decimals = 1},
      *both));
  return {};
}

}  // namespace legion::bench
