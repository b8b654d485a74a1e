#include "pairs.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace legion::bench {

namespace {

double p50(const GroupRun& run) { return only_meter(run).p50_us; }
double p99(const GroupRun& run) { return only_meter(run).p99_us; }
double worst(const GroupRun& run) { return only_meter(run).max_us; }

}  // namespace

Result<Both> run_both(const Effort& effort, GroupSpec spec) {
  const Interrupts interrupts;
  Both both;
  for (int run = 0; run < effort.runs; ++run) {
    for (const Kind kind : {Kind::Mesh, Kind::Raw}) {
      spec.kind = kind;
      auto done = run_group(interrupts, spec);
      if (!done) return std::unexpected(done.error());
      (kind == Kind::Mesh ? both.mesh : both.raw).runs.push_back(std::move(*done));
    }
  }
  return both;
}

RoleSpec subscriber(std::string name, std::string filter, std::vector<std::uint8_t> flows, Timing timing) {
  RoleSpec role;
  role.name = std::move(name);
  role.meters.push_back({.agent = "meter", .filter = std::move(filter), .flows = std::move(flows), .timing = timing});
  return role;
}

RoleSpec publisher(std::vector<FlowSpec> flows, Pace pace) {
  RoleSpec role;
  role.name = "publisher";
  role.flows = std::move(flows);
  role.pace = pace;
  return role;
}

std::uint64_t published(const GroupRun& run) {
  std::uint64_t sum = 0;
  for (const RoleRun& role : run) sum += role.published;
  return sum;
}

double published_per_s(const GroupRun& run) {
  double sum = 0;
  for (const RoleRun& role : run) sum += role.published_per_s;
  return sum;
}

std::uint64_t blocked(const GroupRun& run) {
  std::uint64_t sum = 0;
  for (const RoleRun& role : run) sum += role.blocked;
  return sum;
}

std::uint64_t lost(const GroupRun& run) {
  std::uint64_t sum = 0;
  for (const RoleRun& role : run) {
    for (const MeterRun& meter : role.meters) sum += meter.lost();
  }
  return sum;
}

double delivered_per_s(const GroupRun& run) {
  double least = std::numeric_limits<double>::max();
  for (const RoleRun& role : run) {
    for (const MeterRun& meter : role.meters) least = std::min(least, meter.per_s);
  }
  return least;
}

const MeterRun& only_meter(const GroupRun& run) {
  return std::ranges::find_if(run, [](const RoleRun& role) { return !role.meters.empty(); })->meters.at(0);
}

Line lost_by_reason(const Series& series) {
  Line sums = Line::object();
  for (const GroupRun& run : series.runs) {
    for (const RoleRun& role : run) {
      for (const MeterRun& meter : role.meters) {
        for (const auto& [reason, count] : meter.books.items()) {
          sums[reason] = sums.value(reason, std::uint64_t{0}) + count.get<std::uint64_t>();
        }
      }
    }
  }
  return sums;
}

Line throughput_line(const Effort& effort, const Caption& caption, const Both& both) {
  const double delivered = both.mesh.middle(delivered_per_s);
  const double raw_published = both.raw.middle(published_per_s);
  Line line = make_line(effort, caption, delivered, both.raw.middle(delivered_per_s));
  line["data_bytes"] = payload_bytes;
  line["delivered_per_s"] = rounded(delivered, 0);
  line["published_per_s"] = rounded(both.mesh.middle(published_per_s), 0);
  line["published"] = both.mesh.total(published);
  line["lost"] = both.mesh.total(lost);
  line["lost_by_reason"] = lost_by_reason(both.mesh);
  line["would_block"] = both.mesh.total(blocked);
  line["baseline_delivered_per_s"] = rounded(both.raw.middle(delivered_per_s), 0);
  line["baseline_published_per_s"] = rounded(raw_published, 0);
  line["ratio_to_baseline_published"] = raw_published > 0 ? rounded(delivered / raw_published, 3) : Line();
  line["baseline_published"] = both.raw.total(published);
  line["baseline_lost"] = both.raw.total(lost);
  return line;
}

Line latency_line(const Effort& effort, const Caption& caption, const Both& both) {
  Line line = make_line(effort, caption, both.mesh.middle(p50), both.raw.middle(p50));
  line["data_bytes"] = payload_bytes;
  line["p50_us"] = rounded(both.mesh.middle(p50), 1);
  line["p99_us"] = rounded(both.mesh.middle(p99), 1);
  line["max_us"] = rounded(both.mesh.middle(worst), 1);
  line["published"] = both.mesh.total(published);
  line["lost"] = both.mesh.total(lost);
  line["lost_by_reason"] = lost_by_reason(both.mesh);
  line["baseline_p50_us"] = rounded(both.raw.middle(p50), 1);
  line["baseline_p99_us"] = rounded(both.raw.middle(p99), 1);
  line["baseline_max_us"] = rounded(both.raw.middle(worst), 1);
  line["baseline_published"] = both.raw.total(published);
  line["baseline_lost"] = both.raw.total(lost);
  return line;
}

}  // namespace legion::bench
