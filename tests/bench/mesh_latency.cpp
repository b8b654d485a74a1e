#include "benches.hpp"
#include "figures.hpp"
#include "pair_run.hpp"

namespace legion::bench {

Result<void> mesh_latency() {
  const Interrupts interrupts;
  const Pace pace{.length = 3s, .per_second = 1000};
  std::vector<double> mesh_p50, mesh_p99, mesh_max, raw_p50, raw_p99, raw_max;
  std::uint64_t lost = 0, raw_lost = 0;
  for (int run = 0; run < runs; ++run) {
    const auto mesh = run_pair(interrupts, Kind::Mesh, pace);
    if (!mesh) return std::unexpected(mesh.error());
    const auto raw = run_pair(interrupts, Kind::Raw, pace);
    if (!raw) return std::unexpected(raw.error());
    mesh_p50.push_back(mesh->p50_us);
    mesh_p99.push_back(mesh->p99_us);
    mesh_max.push_back(mesh->max_us);
    raw_p50.push_back(raw->p50_us);
    raw_p99.push_back(raw->p99_us);
    raw_max.push_back(raw->max_us);
    lost += mesh->lost();
    raw_lost += raw->lost();
  }
  Line line = make_line("mesh_latency", median(mesh_p50), "us", "libzmq PUB/SUB, one way", median(raw_p50), 1);
  line["p50_us"] = rounded(median(mesh_p50), 1);
  line["p99_us"] = rounded(median(mesh_p99), 1);
  line["max_us"] = rounded(median(mesh_max), 1);
  line["lost"] = lost;
  line["baseline_p50_us"] = rounded(median(raw_p50), 1);
  line["baseline_p99_us"] = rounded(median(raw_p99), 1);
  line["baseline_max_us"] = rounded(median(raw_max), 1);
  line["baseline_lost"] = raw_lost;
  print(line);
  return {};
}

}  // namespace legion::bench
