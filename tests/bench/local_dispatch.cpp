#include "benches.hpp"
#include "pairs.hpp"

namespace legion::bench {

namespace {

constexpr const char* baseline = "libzmq inproc PUSH/PULL between two threads, one message an event";

/// One process with a publisher and a handler.
GroupSpec one_process(Pace pace, Timing timing) {
  RoleSpec role = publisher({{0, {normal_type}}}, pace);
  role.name = "local";
  role.meters = subscriber("", normal_type, {0}, timing).meters;
  return {.roles = {role}};
}

}  // namespace

Result<void> local_dispatch(const Effort& effort) {
  const auto busy = run_both(effort, one_process({.length_ms = effort.length(2s).count()}, Timing::Count));
  if (!busy) return std::unexpected(busy.error());
  print(throughput_line(
      effort, {.bench = "local_dispatch", .variant = "throughput", .unit = "events/s", .baseline = baseline}, *busy));

  const Pace pace{.length_ms = effort.length(2s).count(), .per_second = 1000};
  const auto idle = run_both(effort, one_process(pace, Timing::Latency));
  if (!idle) return std::unexpected(idle.error());
  print(latency_line(effort,
                     {.bench = "local_dispatch", .variant = "idle", .unit = "us", .baseline = baseline, .decimals = 1},
                     *idle));
  return {};
}

}  // namespace legion::bench
