#include <algorithm>

#include "benches.hpp"
#include "meter.hpp"
#include "pairs.hpp"
#include "spool_runs.hpp"

namespace legion::bench {

namespace {

constexpr std::uint16_t high_lane_port = 2;                 // behind that of control
constexpr std::uint32_t repaired_per_second = 3'500;
constexpr std::uint32_t flood_per_second = 200'000;
constexpr Duration run_limit = 300s;
constexpr int gaps_full = 30, gaps_quick = 3;

struct Gaps {
  std::vector<double> events, ms;
};

RoleSpec source(std::string name, std::uint8_t flow, const char* type, std::uint32_t per_second) {
  RoleSpec role = publisher({{flow, {type}}}, {.length_ms = Duration(run_limit).count() / 1'000'000, .per_second = per_second});
  role.name = std::move(name);
  role.topics.clear();  // as the policy of the types is: journalled
  return role;
}

Result<Gaps> measure(const Interrupts& interrupts, int gaps) {
  SpoolRun run(interrupts);
  if (auto started = run.start_spool(); !started) return std::unexpected(started.error());
  RoleSpec reader;
  reader.kind = Kind::Repair;
  reader.name = "reader";
  const auto reading = run.start(std::move(reader));
  if (!reading) return std::unexpected(reading.error());
  const auto feed = run.start(source("feed", 1, normal_type, flood_per_second));
  if (!feed) return std::unexpected(feed.error());
  const auto repaired = run.start(source("source", 0, confirmed_type, repaired_per_second));
  if (!repaired) return std::unexpected(repaired.error());
  for (Child* child : {*feed, *repaired}) {
    if (auto went = child->write_line("go"); !went) return std::unexpected(went.error());
  }
  const auto port = static_cast<std::uint16_t>(run.last_port() + high_lane_port);
  if (auto asked = (*reading)->write_line("cut " + std::to_string(port) + " " + std::to_string(gaps)); !asked) {
    return std::unexpected(asked.error());
  }
  const auto said = (*reading)->read_line(run_limit);
  if (!said) return std::unexpected(said.error());
  Gaps seen;
  for (const auto& gap : said->at("repairs")) {
    seen.events.push_back(gap.at("events").get<double>());
    seen.ms.push_back(gap.at("ns").get<double>() / 1e6);
  }
  // The publishers are in the middle of their run: they end with the object.
  return seen;
}

}  // namespace

Result<void> spool_repair(const Effort& effort) {
  const Interrupts interrupts;
  const auto gaps = measure(interrupts, effort.divisor == 1 ? gaps_full : gaps_quick);
  if (!gaps) return std::unexpected(gaps.error());
  const DiskTime disk = time_fsync();
  Line line = make_line(effort,
                        {.bench = "spool_repair", .variant = "cut_link", .unit = "ms",
                         .baseline = "fdatasync of 4 KiB on the same disk: p50", .decimals = 3},
                        median(gaps->ms), disk.p50_us / 1e3);
  line["gap_events_p50"] = rounded(median(gaps->events), 0);
  line["max_ms"] = rounded(std::ranges::max(gaps->ms), 1);
  line["gaps"] = gaps->ms.size();
  line["flood_per_s"] = flood_per_second;
  line["repaired_stream_per_s"] = repaired_per_second;
  print(line);
  return {};
}

}  // namespace legion::bench
