#include <array>
#include <string>
#include <vector>

#include "benches.hpp"
#include "pairs.hpp"

namespace legion::bench {

namespace {

constexpr std::array four_types{"market.data_received", "market.data_requested", "market.depth_snapshot",
                                "market.funding_update"};
constexpr const char* four_types_filter = "market.";
constexpr std::size_t subscribers = 4;

struct Variant {
  const char* name;
  const char* baseline;
  GroupSpec group;
};

Variant one_type(Pace pace) {
  return {
      "one_type",
      "libzmq PUB/SUB, one message an event",
      {.roles = {subscriber("subscriber", normal_type, {0}, Timing::Count), publisher({{0, {normal_type}}}, pace)}}};
}

Variant interleaved_types(Pace pace) {
  return {"four_types",
          "libzmq PUB/SUB, one message an event",
          {.roles = {subscriber("subscriber", four_types_filter, {0}, Timing::Count),
                     publisher({{0, {four_types.begin(), four_types.end()}}}, pace)}}};
}

Variant four_threads(Pace pace) {
  std::vector<FlowSpec> flows;
  for (std::uint8_t flow = 0; flow < 4; ++flow) flows.push_back({flow, {normal_type}});
  return {"four_threads",
          "libzmq, four PUB of a thread each and one SUB, one message an event",
          {.roles = {subscriber("subscriber", normal_type, {0, 1, 2, 3}, Timing::Count), publisher(flows, pace)}}};
}

Variant fan_out(Pace pace) {
  GroupSpec group{.roles = {publisher({{0, {normal_type}}}, pace)}};
  for (std::size_t i = 0; i < subscribers; ++i) {
    group.roles.push_back(subscriber("subscriber-" + std::to_string(i), normal_type, {0}, Timing::Count));
  }
  return {"fan_out_4", "libzmq, one PUB and four SUB, one message an event", group};
}

}  // namespace

Result<void> mesh_throughput(const Effort& effort) {
  const Pace pace{.length_ms = effort.length(2s).count()};
  for (const Variant& variant : {one_type(pace), interleaved_types(pace), four_threads(pace), fan_out(pace)}) {
    const auto both = run_both(effort, variant.group);
    if (!both) return std::unexpected(both.error());
    const Caption caption{
        .bench = "mesh_throughput", .variant = variant.name, .unit = "events/s", .baseline = variant.baseline};
    Line line = throughput_line(effort, caption, *both);
    line["subscribers"] = variant.group.roles.size() - 1;
    print(line);
  }
  return {};
}

}  // namespace legion::bench
