// A large store: how fast it opens, how fast one correlation id is found, and what an event takes on disk.
#include <filesystem>

#include <legion/runtime/clock.hpp>

#include "benches.hpp"
#include "figures.hpp"
#include "spool_store_kit.hpp"
#include "temporary_folder.hpp"

namespace legion::bench {

namespace {

constexpr std::uint64_t many_events = 10'000'000;
constexpr std::size_t batch_bytes = 4 << 20;
constexpr double open_wanted_ms = 2000;
constexpr double lookup_wanted_ms = 200;
constexpr int openings = 5;
constexpr std::uint64_t lookups = 20;
// A day at 1,000 events/s: a commit takes up what came while the one before it was under way.
constexpr std::uint64_t events_a_second = 1000;
constexpr std::uint64_t events_a_commit = 4;
constexpr std::uint64_t events_a_day = 86'400 * events_a_second;
constexpr std::uint64_t seconds_measured = 600;

Result<void> fill(SqliteStore& store, Frames& frames, std::uint64_t wanted) {
  const auto appended =
      append(store, frames, batch_bytes, [&](Duration, std::uint64_t done) { return done >= wanted; });
  if (!appended) return std::unexpected(appended.error());
  return {};
}

std::uint64_t share_of(std::uint64_t whole, const Effort& effort) {
  return whole / static_cast<std::uint64_t>(effort.divisor);
}

Result<std::size_t> look_up(StoreReader& reader, const std::string& id) {
  std::size_t found = 0;
  ScanQuery query{.correlation = id};
  for (;;) {
    const auto page = reader.scan(query);
    if (!page) return std::unexpected(page.error());
    found += page->frames.size();
    if (page->at_end) return found;
    query.from = page->next;
  }
}

/// Until nothing waits, as a spool does it while nothing comes.
Result<void> settle(SqliteStore& store, WallTime now) {
  for (;;) {
    const auto more = store.maintain(now, {});
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
  }
}

double file_bytes(const std::string& path) { return static_cast<double>(std::filesystem::file_size(path)); }

void print_size(const Effort& effort, const char* variant, double stored, double raw, std::uint64_t events,
                std::uint64_t extrapolated_to) {
  const auto count = static_cast<double>(events);
  Line line = make_line(effort,
                        {.bench = "spool_size", .variant = variant, .unit = "bytes/event",
                         .baseline = "the frames as they came", .decimals = 2},
                        stored / count, raw / count);
  line["runs"] = 1;
  line["events"] = events;
  if (extrapolated_to > 0) {
    line["extrapolated_to_events"] = extrapolated_to;
    line["extrapolated_GB"] = rounded(stored / count * static_cast<double>(extrapolated_to) / 1e9, 2);
  }
  print(line);
}

Result<void> measure_busy(const Effort& effort) {
  const TemporaryFolder folder;
  Frames frames(Data::Typical, SIZE_MAX);
  double raw = 0;
  {
    auto store = open_store(folder.inside("spool"));
    if (!store) return std::unexpected(store.error());
    while (frames.events() < share_of(many_events, effort)) {
      const auto records = frames.next(batch_bytes);
      for (const JournalRecord& record : records) raw += static_cast<double>(record.frame->size());
      if (auto appended = (*store)->append(records, read_wall_clock()); !appended) return appended;
    }
    if (auto settled = settle(**store, read_wall_clock()); !settled) return settled;
  }
  print_size(effort, "busy", file_bytes(folder.inside("spool")), raw, frames.events(), 0);
  return {};
}

Result<void> measure_day(const Effort& effort) {
  const TemporaryFolder folder;
  Frames frames(Data::Typical, 1);
  const WallTime begin = read_wall_clock();
  double raw = 0;
  const std::uint64_t wanted = share_of(seconds_measured * events_a_second, effort);
  {
    auto store = open_store(folder.inside("spool"));
    if (!store) return std::unexpected(store.error());
    std::uint64_t housekept = 0;
    while (frames.events() < wanted) {
      std::vector<JournalRecord> records;
      for (std::uint64_t i = 0; i < events_a_commit; ++i) records.push_back(frames.next(1).front());
      for (const JournalRecord& record : records) raw += static_cast<double>(record.frame->size());
      const WallTime now = begin + Duration(static_cast<std::int64_t>(frames.events() * (1'000'000'000 / events_a_second)));
      if (auto appended = (*store)->append(records, now); !appended) return appended;
      if (frames.events() / events_a_second == housekept) continue;
      housekept = frames.events() / events_a_second;
      if (auto settled = settle(**store, now); !settled) return settled;
    }
  }
  print_size(effort, "day_at_1k_events_per_s", file_bytes(folder.inside("spool")), raw, frames.events(), events_a_day);
  return {};
}

Result<void> measure_opening(const Effort& effort, const char* variant, const std::string& path, std::uint64_t events,
                             int times_opened, double log_bytes) {
  std::vector<double> times;
  for (int i = 0; i < times_opened; ++i) {
    const SteadyTime begin = read_steady_clock();
    auto store = open_store(path);
    times.push_back(seconds(read_steady_clock() - begin) * 1e3);
    if (!store) return std::unexpected(store.error());
  }
  Line line = make_line(effort, {.bench = "spool_open", .variant = variant, .unit = "ms",
                                 .baseline = "asked for, of 10 M events", .decimals = 1},
                        median(times), open_wanted_ms);
  line["runs"] = times_opened;
  line["events"] = events;
  line["log_MB"] = rounded(log_bytes / 1e6, 1);
  line["ms_max"] = rounded(*std::ranges::max_element(times), 1);
  print(line);
  return {};
}

}  // namespace

Result<void> spool_open(const Effort& effort) {
  const TemporaryFolder folder;
  Frames frames(Data::Typical, SIZE_MAX);
  {
    auto store = open_store(folder.inside("spool"));
    if (!store) return std::unexpected(store.error());
    if (auto filled = fill(**store, frames, share_of(many_events, effort)); !filled) return filled;
    // What kill -9 would leave at this moment.
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::copy_file(folder.inside("spool") + suffix, folder.inside("killed") + suffix);
    }
  }
  const double log_bytes = file_bytes(folder.inside("killed-wal"));
  if (auto done = measure_opening(effort, "killed", folder.inside("killed"), frames.events(), 1, log_bytes); !done) {
    return done;
  }
  return measure_opening(effort, "closed", folder.inside("spool"), frames.events(), openings, 0);
}

Result<void> trace_lookup(const Effort& effort) {
  const TemporaryFolder folder;
  Frames frames(Data::Correlated, SIZE_MAX);
  auto store = open_store(folder.inside("spool"));
  if (!store) return std::unexpected(store.error());
  if (auto filled = fill(**store, frames, share_of(many_events, effort)); !filled) return filled;
  auto reader = (*store)->open_reader();
  if (!reader) return std::unexpected(reader.error());
  std::vector<double> times;
  std::size_t found = 0;
  // The first one warms what the others find.
  for (std::uint64_t i = 0; i <= lookups; ++i) {
    const SteadyTime start = read_steady_clock();
    const auto frames_found = look_up(**reader, "order-" + std::to_string(1000 * (i + 1)));
    if (!frames_found) return std::unexpected(frames_found.error());
    if (i == 0) continue;
    times.push_back(seconds(read_steady_clock() - start) * 1e3);
    found += *frames_found;
  }
  Line line = make_line(effort, {.bench = "trace_lookup", .variant = "warm", .unit = "ms",
                                 .baseline = "asked for, of 10 M events", .decimals = 1},
                        median(times), lookup_wanted_ms);
  line["runs"] = lookups;
  line["events"] = frames.events();
  line["ms_max"] = rounded(*std::ranges::max_element(times), 1);
  line["frames_found"] = found;
  print(line);
  return {};
}

Result<void> spool_size(const Effort& effort) {
  if (auto done = measure_busy(effort); !done) return done;
  return measure_day(effort);
}

}  // namespace legion::bench
