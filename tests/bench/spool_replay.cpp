#include <legion/event/frame.hpp>
#include <legion/runtime/spool_asker.hpp>

#include "benches.hpp"
#include "meter.hpp"
#include "pairs.hpp"
#include "spool_runs.hpp"

namespace legion::bench {

namespace {

constexpr Duration page_limit = 60s;

struct ReplayRun {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;  ///< of data
  double per_s = 0;
};

/// Reads all there is, decoding every event and looking at each.
Result<ReplayRun> read_all(std::uint16_t port) {
  auto asker = BlockingSpoolAsker::open({loopback, port});
  if (!asker) return std::unexpected(asker.error());
  ScanQuery query;
  query.bytes_max = spool_page_bytes_max;
  query.types = {*Filter::parse(confirmed_type)};
  SpoolScanner scanner(**asker, std::move(query), page_limit);
  FramePool pool;
  ReplayRun run;
  const SteadyTime begin = steady_now();
  for (;;) {
    auto page = scanner.next();
    if (!page) return std::unexpected(page.error());
    if (!*page) break;
    for (const StoredFrame& stored : (*page)->frames) {
      const auto frame = Frame::decode(stored.frame, (*page)->owner, &pool);
      if (!frame) return std::unexpected(frame.error());
      for (const EventView& event : (*frame)->events()) run.bytes += event.data.size();
      run.events += (*frame)->events().size();
    }
  }
  run.per_s = static_cast<double>(run.events) * 1e9 / static_cast<double>((steady_now() - begin).count());
  return run;
}

/// Stores for `length`, then reads: this process is the reader.
Result<ReplayRun> run_once(const Interrupts& interrupts, Pace pace) {
  SpoolRun spool_run(interrupts);
  if (auto started = spool_run.start_spool(); !started) return std::unexpected(started.error());
  const auto publisher = spool_run.start(confirmed_publisher(pace, "trades"));
  if (!publisher) return std::unexpected(publisher.error());
  const auto said = go(**publisher, pace);
  if (!said) return std::unexpected(said.error());
  auto run = read_all(spool_run.spool_port());
  if (!run) return run;
  if (run->events != said->at("confirmed").get<std::uint64_t>()) {
    return fail(ErrorCode::BadData, "read " + std::to_string(run->events) + " events where " +
                                        said->at("confirmed").dump() + " were confirmed");
  }
  if (auto ended = spool_run.end(); !ended) return std::unexpected(ended.error());
  return run;
}

}  // namespace

Result<void> spool_replay(const Effort& effort) {
  const Pace pace{.length_ms = effort.length(10s).count()};
  const Pace raw_pace{.length_ms = effort.length(2s).count()};
  const Interrupts interrupts;
  std::vector<double> values;
  Series raw;
  std::uint64_t events = 0;
  for (int i = 0; i < effort.runs; ++i) {
    const auto run = run_once(interrupts, pace);
    if (!run) return std::unexpected(run.error());
    values.push_back(run->per_s);
    events = run->events;
    auto baseline = run_group(
        interrupts, {.kind = Kind::Raw,
                     .roles = {subscriber("subscriber", normal_type, {0}, Timing::Count),
                               publisher({{0, {normal_type}}}, raw_pace)}});
    if (!baseline) return std::unexpected(baseline.error());
    raw.runs.push_back(std::move(*baseline));
  }
  Line line = make_line(effort,
                        {.bench = "spool_replay", .variant = "scan", .unit = "events/s",
                         .baseline = "libzmq PUB/SUB, one message an event"},
                        median(std::move(values)), raw.middle(delivered_per_s));
  line["data_bytes"] = payload_bytes;
  line["events"] = events;
  print(line);
  return {};
}

}  // namespace legion::bench
