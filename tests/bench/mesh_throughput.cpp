#include "benches.hpp"
#include "figures.hpp"
#include "pair_run.hpp"

namespace legion::bench {

Result<void> mesh_throughput() {
  const Interrupts interrupts;
  const Pace pace{.length = 2s, .per_second = 0};
  std::vector<double> mesh, mesh_published, raw, raw_published;
  std::uint64_t published = 0, lost = 0, blocked = 0, raw_published_total = 0, raw_lost = 0;
  Line books = Line::object();
  for (int run = 0; run < runs; ++run) {
    const auto by_mesh = run_pair(interrupts, Kind::Mesh, pace);
    if (!by_mesh) return std::unexpected(by_mesh.error());
    const auto by_raw = run_pair(interrupts, Kind::Raw, pace);
    if (!by_raw) return std::unexpected(by_raw.error());
    mesh.push_back(by_mesh->delivered_per_s);
    mesh_published.push_back(by_mesh->published_per_s);
    raw.push_back(by_raw->delivered_per_s);
    raw_published.push_back(by_raw->published_per_s);
    published += by_mesh->published;
    lost += by_mesh->lost();
    blocked += by_mesh->blocked;
    raw_published_total += by_raw->published;
    raw_lost += by_raw->lost();
    for (const auto& [reason, count] : by_mesh->books.items()) {
      books[reason] = books.value(reason, std::uint64_t{0}) + count.get<std::uint64_t>();
    }
  }
  Line line =
      make_line("mesh_throughput", median(mesh), "events/s", "libzmq PUB/SUB, one message an event", median(raw), 0);
  line["data_bytes"] = payload_bytes;
  line["published_per_s"] = rounded(median(mesh_published), 0);
  line["published"] = published;
  line["lost"] = lost;
  line["lost_by_reason"] = books;
  line["would_block"] = blocked;
  line["baseline_published_per_s"] = rounded(median(raw_published), 0);
  line["baseline_published"] = raw_published_total;
  line["baseline_lost"] = raw_lost;
  print(line);
  return {};
}

}  // namespace legion::bench
