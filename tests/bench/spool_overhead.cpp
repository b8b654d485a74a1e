#include <algorithm>

#include "benches.hpp"
#include "pairs.hpp"

namespace legion::bench {

namespace {

// The same types in both meshes; all that differs is the durability.
constexpr const char* durability_none = "[[topic]]\nprefix = \"*\"\nspools = 0\ndurability = \"none\"\n";
constexpr const char* durability_captured = "[[topic]]\nprefix = \"*\"\ndurability = \"captured\"\n";

double cpu_ns_per_event(const GroupRun& run) {
  return std::ranges::max(run, {}, &RoleRun::published).cpu_ns_per_event;
}

GroupSpec group(Pace pace, const char* topics) {
  GroupSpec group;
  group.roles.push_back(subscriber("subscriber", normal_type, {0}, Timing::Count));
  group.roles.push_back(publisher({{0, {normal_type}}}, pace));
  for (RoleSpec& role : group.roles) role.topics = topics;
  return group;
}

RoleSpec spool() {
  RoleSpec role;
  role.kind = Kind::Spool;
  role.name = "spool";
  return role;
}

struct Sides {
  Series with_spool;
  Series without;
};

/// In turn, so that whatever else the machine does touches both alike.
Result<Sides> run_sides(const Effort& effort, const Interrupts& interrupts, Pace pace) {
  Sides sides;
  for (int i = 0; i < effort.runs; ++i) {
    GroupSpec with_spool = group(pace, durability_captured);
    with_spool.roles.insert(with_spool.roles.begin(), spool());
    auto run = run_group(interrupts, with_spool);
    if (!run) return std::unexpected(run.error());
    sides.with_spool.runs.push_back(std::move(*run));
    run = run_group(interrupts, group(pace, durability_none));
    if (!run) return std::unexpected(run.error());
    sides.without.runs.push_back(std::move(*run));
  }
  return sides;
}

}  // namespace

Result<void> spool_overhead(const Effort& effort) {
  const Interrupts interrupts;
  const Pace free{.length_ms = effort.length(2s).count()};
  const auto fastest = run_group(interrupts, group(free, durability_none));
  if (!fastest) return std::unexpected(fastest.error());
  const auto half = static_cast<std::uint32_t>(delivered_per_s(*fastest) / 2);
  const Pace pace{.length_ms = effort.length(5s).count(), .per_second = half};
  const auto sides = run_sides(effort, interrupts, pace);
  if (!sides) return std::unexpected(sides.error());

  const double rate = sides->with_spool.middle(delivered_per_s), rate_without = sides->without.middle(delivered_per_s);
  Line line = make_line(effort,
                        {.bench = "spool_overhead", .variant = "delivered_rate", .unit = "events/s",
                         .baseline = "the same mesh, durability none, no spool"},
                        rate, rate_without);
  line["asked_per_s"] = half;
  line["change_percent"] = percent_change(rate, rate_without);
  line["lost"] = sides->with_spool.total(lost);
  line["baseline_lost"] = sides->without.total(lost);
  print(line);

  const double cpu = sides->with_spool.middle(cpu_ns_per_event), cpu_without = sides->without.middle(cpu_ns_per_event);
  line = make_line(effort,
                   {.bench = "spool_overhead", .variant = "publisher_cpu", .unit = "ns/event",
                    .baseline = "the same mesh, durability none, no spool", .decimals = 1},
                   cpu, cpu_without);
  line["change_percent"] = percent_change(cpu, cpu_without);
  print(line);
  return {};
}

}  // namespace legion::bench
