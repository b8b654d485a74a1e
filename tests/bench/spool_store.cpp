// The spool's store alone, in this process: appends beside SQLite's own blobs, and reading it through.
#include <legion/runtime/clock.hpp>

#include "benches.hpp"
#include "figures.hpp"
#include "spool_store_kit.hpp"
#include "temporary_folder.hpp"

namespace legion::bench {

namespace {

constexpr std::chrono::milliseconds run_length = 10s;
constexpr std::uint64_t scanned_events = 10'000'000;
constexpr std::size_t batch_bytes = 4 << 20;

Result<void> measure_append(const Effort& effort, const char* variant, Data data, std::size_t bytes,
                            std::size_t events_a_frame) {
  std::vector<double> ours, blobs, sizes, p50, p99;
  const Duration length = effort.length(run_length) / effort.runs;
  Frames frames(data, events_a_frame);
  double event_bytes = 0;
  for (int run = 0; run < effort.runs; ++run) {
    const TemporaryFolder folder;
    Frames mine = frames;
    auto store = open_store(folder.inside("spool"));
    if (!store) return std::unexpected(store.error());
    const auto appended =
        append(**store, mine, bytes, [&](Duration passed, std::uint64_t) { return passed >= length; });
    if (!appended) return std::unexpected(appended.error());
    event_bytes = appended->bytes_per_s / appended->events_per_s;
    ours.push_back(appended->events_per_s);
    blobs.push_back(sqlite_blob_rate([&] { return mine.next(bytes); }, length) / event_bytes);
    sizes.push_back(appended->bytes_per_event);
    p50.push_back(appended->commit_ms_p50);
    p99.push_back(appended->commit_ms_p99);
  }
  Line line = make_line(effort,
                        {.bench = "spool_store",
                         .variant = variant,
                         .unit = "events/s",
                         .baseline = "SQLite, the same bytes as blobs, commits of the same size"},
                        median(ours), median(blobs));
  line["MB_per_s"] = rounded(median(ours) * event_bytes / 1e6, 1);
  line["commit_bytes"] = bytes;
  line["event_bytes"] = rounded(event_bytes, 1);
  line["stored_bytes_per_event"] = rounded(median(sizes), 1);
  line["commit_ms_p50"] = rounded(median(p50), 3);
  line["commit_ms_p99"] = rounded(median(p99), 3);
  line["fsync_ms"] = rounded(fsync_ms(), 3);
  print(line);
  return {};
}

Result<std::uint64_t> scan_all(StoreReader& reader) {
  std::uint64_t bytes = 0;
  ScanQuery query{.bytes_max = 4 << 20};
  for (;;) {
    const auto page = reader.scan(query);
    if (!page) return std::unexpected(page.error());
    for (const StoredFrame& frame : page->frames) bytes += frame.frame.size();
    if (page->at_end) return bytes;
    query.from = page->next;
  }
}

Result<void> measure_scan(const Effort& effort) {
  const TemporaryFolder folder;
  Frames frames(Data::Correlated, SIZE_MAX);
  auto store = open_store(folder.inside("spool"));
  if (!store) return std::unexpected(store.error());
  const std::uint64_t wanted = scanned_events / static_cast<std::uint64_t>(effort.divisor);
  const auto appended =
      append(**store, frames, batch_bytes, [&](Duration, std::uint64_t done) { return done >= wanted; });
  if (!appended) return std::unexpected(appended.error());
  auto reader = (*store)->open_reader();
  if (!reader) return std::unexpected(reader.error());
  const SteadyTime begin = read_steady_clock();
  const auto bytes = scan_all(**reader);
  const Duration passed = read_steady_clock() - begin;
  if (!bytes) return std::unexpected(bytes.error());
  Line line = make_line(effort, {.bench = "spool_store", .variant = "scan", .unit = "events/s", .baseline = "asked for"},
                        per_second(static_cast<double>(frames.events()), passed), 2e6);
  line["MB_per_s"] = rounded(per_second(static_cast<double>(*bytes), passed) / 1e6, 1);
  print(line);
  return {};
}

}  // namespace

Result<void> spool_store(const Effort& effort) {
  if (auto done = measure_append(effort, "append_typical", Data::Typical, batch_bytes, SIZE_MAX); !done) return done;
  if (auto done = measure_append(effort, "append_incompressible", Data::Incompressible, batch_bytes, SIZE_MAX); !done) {
    return done;
  }
  if (auto done = measure_append(effort, "append_single_events", Data::Typical, 1, 1); !done) return done;
  return measure_scan(effort);
}

}  // namespace legion::bench
