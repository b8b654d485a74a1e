#include <array>
#include <utility>

#include "benches.hpp"
#include "pairs.hpp"

namespace legion::bench {

namespace {

constexpr const char* low_type = "component.status_updated";
constexpr const char* critical_type = "risk.alert";
constexpr std::uint8_t low_flow = 0;
constexpr std::uint8_t critical_flow = 1;
constexpr std::size_t low_meter = 0;
constexpr std::size_t critical_meter = 1;
constexpr std::uint32_t critical_per_second = 1000;
constexpr Duration low_work = 5us;

enum class Agents : std::uint8_t { OneEach, One };

/// One process floods the low lane, another sends critical events now and then; a third has a handler for each. Of bare
/// sockets the third has one SUB and one thread for both.
GroupSpec group(Agents agents, const Effort& effort) {
  const std::int64_t length_ms = effort.length(5s).count();
  RoleSpec subscribers;
  subscribers.name = "subscriber";
  subscribers.meters = {
      {.agent = "low", .filter = low_type, .flows = {low_flow}, .timing = Timing::Count, .work_ns = low_work.count()},
      {.agent = agents == Agents::One ? "low" : "critical",
       .filter = critical_type,
       .flows = {critical_flow},
       .timing = Timing::Latency},
  };
  RoleSpec flooder = publisher({{low_flow, {low_type}}}, {.length_ms = length_ms});
  flooder.name = "flooder";
  RoleSpec alarmer = publisher({{critical_flow, {critical_type}}}, {length_ms, critical_per_second});
  alarmer.name = "alarmer";
  return {.roles = {subscribers, flooder, alarmer}};
}

const MeterRun& critical(const GroupRun& run) { return run[0].meters[critical_meter]; }
const MeterRun& low(const GroupRun& run) { return run[0].meters[low_meter]; }

/// What `side` came to, in `line`, each name with `prefix` before it.
void add_figures(Line& line, const std::string& prefix, const Series& side) {
  line[prefix + "p50_us"] = rounded(side.middle([](const GroupRun& run) { return critical(run).p50_us; }), 1);
  line[prefix + "p99_us"] = rounded(side.middle([](const GroupRun& run) { return critical(run).p99_us; }), 1);
  line[prefix + "max_us"] = rounded(side.middle([](const GroupRun& run) { return critical(run).max_us; }), 1);
  line[prefix + "critical_published"] = side.total([](const GroupRun& run) { return critical(run).expected; });
  line[prefix + "lost"] = side.total([](const GroupRun& run) { return critical(run).lost(); });
  line[prefix + "low_per_s"] = rounded(side.middle([](const GroupRun& run) { return low(run).per_s; }), 0);
  line[prefix + "low_published_per_s"] =
      rounded(side.middle([](const GroupRun& run) { return run[1].published_per_s; }), 0);
  line[prefix + "low_published"] = side.total([](const GroupRun& run) { return low(run).expected; });
  line[prefix + "low_lost"] = side.total([](const GroupRun& run) { return low(run).lost(); });
}

void report(const Effort& effort, const char* variant, const Series& mesh, const Series& raw) {
  const auto p99 = [](const GroupRun& run) { return critical(run).p99_us; };
  Line line = make_line(effort,
                        {.bench = "flood",
                         .variant = variant,
                         .unit = "us",
                         .baseline = "libzmq, two PUB, one SUB read by one thread: p99 of the critical messages",
                         .decimals = 1},
                        mesh.middle(p99), raw.middle(p99));
  line["data_bytes"] = payload_bytes;
  add_figures(line, "", mesh);
  line["lost_by_reason"] = lost_by_reason(mesh);
  add_figures(line, "baseline_", raw);
  print(line);
}

}  // namespace

Result<void> flood(const Effort& effort) {
  const Interrupts interrupts;
  struct Case {
    GroupSpec spec;
    Series series{};
  };
  std::array<Case, 3> cases{
      {{group(Agents::OneEach, effort)}, {group(Agents::One, effort)}, {group(Agents::OneEach, effort)}}};
  auto& [two_agents, one_agent, raw] = cases;
  raw.spec.kind = Kind::Raw;
  for (int run = 0; run < effort.runs; ++run) {
    for (Case& each : cases) {
      auto done = run_group(interrupts, each.spec);
      if (!done) return std::unexpected(done.error());
      each.series.runs.push_back(std::move(*done));
    }
  }
  report(effort, "two_agents", two_agents.series, raw.series);
  report(effort, "one_agent", one_agent.series, raw.series);
  return {};
}

}  // namespace legion::bench
