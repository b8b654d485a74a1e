// The shapes most benchmarks share, and their figures over several runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <legion/base/error.hpp>

#include "figures.hpp"
#include "group_run.hpp"
#include "payload.hpp"

namespace legion::bench {

inline constexpr const char* normal_type = "market.data_received";  // travels on the normal lane

/// What run_group() came to, of one kind, run after run.
struct Series {
  std::vector<GroupRun> runs;

  /// The median over the runs of what `figure` says of each.
  template <class Figure>
  double middle(Figure figure) const {
    std::vector<double> values;
    for (const GroupRun& run : runs) values.push_back(figure(run));
    return median(std::move(values));
  }
  template <class Figure>
  std::uint64_t total(Figure figure) const {
    std::uint64_t sum = 0;
    for (const GroupRun& run : runs) sum += figure(run);
    return sum;
  }
};

struct Both {
  Series mesh;
  Series raw;
};

/// Alternates the two kinds, so that whatever else the machine does touches both alike. `spec.kind` does not matter.
Result<Both> run_both(const Effort& effort, GroupSpec spec);

RoleSpec subscriber(std::string name, std::string filter, std::vector<std::uint8_t> flows, Timing timing);
RoleSpec publisher(std::vector<FlowSpec> flows, Pace pace);

// Over all roles of one run.
std::uint64_t published(const GroupRun& run);
double published_per_s(const GroupRun& run);
std::uint64_t blocked(const GroupRun& run);
std::uint64_t lost(const GroupRun& run);
/// Of the slowest meter: at this rate everyone got events.
double delivered_per_s(const GroupRun& run);
/// Of the one meter.
const MeterRun& only_meter(const GroupRun& run);

/// By reason, over all runs and meters.
Line lost_by_reason(const Series& series);

/// The line of a throughput benchmark: delivered and published per second, and what was lost, for both sides.
Line throughput_line(const Effort& effort, const Caption& caption, const Both& both);
/// The line of a latency benchmark of one meter: p50, p99, max and what was lost, for both sides.
Line latency_line(const Effort& effort, const Caption& caption, const Both& both);

}  // namespace legion::bench
