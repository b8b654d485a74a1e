#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/spool/sqlite_store.hpp>

#include "benches.hpp"
#include "figures.hpp"
#include "payload.hpp"

namespace legion::bench {

namespace {

constexpr std::chrono::milliseconds run_length = 10s;
constexpr std::uint64_t lookup_events = 10'000'000;
constexpr std::size_t batch_bytes = 4 << 20;
constexpr std::size_t pool_bytes = 64 << 20;   // frames in turn, so that no block repeats within what zstd looks back on
constexpr std::size_t event_bytes_max = 256 * 1024;
constexpr std::size_t page_bytes = 16384;
constexpr std::uint64_t blob_log_bytes = 16 << 20;
constexpr const char* type = "market.data_received";

enum class Data : std::uint8_t { Typical, Incompressible, Correlated };

double seconds(Duration duration) { return static_cast<double>(duration.count()) * 1e-9; }
double per_second(double count, Duration passed) { return count / std::max(seconds(passed), 1e-9); }

/// A directory that goes with the benchmark.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "legion-bench-XXXXXX").string();
    LEGION_ASSERT(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Frames as the loop of a busy node packs them, numbered anew each time round.
class Frames {
 public:
  Frames(Data data, std::size_t events_a_frame) : random_(1) {
    std::size_t bytes = 0;
    std::uint64_t number = 0;
    while (bytes < pool_bytes) {
      FrameBuilder builder;
      builder.begin(origin(), Priority::Normal, type, 0, 1);
      do {
        const auto encoded = encode_event(event(data, ++number), 0, event_bytes_max);
        LEGION_ASSERT(encoded.has_value());
        builder.append(encoded->bytes);
      } while (builder.count() < events_a_frame && builder.bytes() + event_bytes < limits::frame_bytes_target);
      counts_.push_back(builder.count());
      frames_.push_back(std::make_shared<Bytes>(builder.finish()));
      bytes += frames_.back()->size();
    }
  }

  static Origin origin() { return {"feed-1", 1'795'227'053'288'149'492}; }

  /// At least so many bytes of records, which go on where the last ones ended.
  std::vector<JournalRecord> next(std::size_t bytes) {
    std::vector<JournalRecord> out;
    for (std::size_t taken = 0; taken < bytes; taken += frames_[at_]->size(), at_ = (at_ + 1) % frames_.size()) {
      number_frame(*frames_[at_], origin().incarnation, sequence_);
      sequence_ += counts_[at_];
      ++position_;
      out.push_back({origin(), JournalKind::Confirmed, position_, position_, 0, frames_[at_], {}});
    }
    return out;
  }
  std::uint64_t events() const { return sequence_ - 1; }

 private:
  static constexpr std::size_t event_bytes = 256;

  Event event(Data data, std::uint64_t number) {
    Event out;
    out.type = type;
    out.source = "feed-1/trades";
    time_ += 1 + static_cast<std::int64_t>(random_() % 2'000'000);
    out.time = {1'795'227'053'288'149'492 + time_};
    if (data == Data::Incompressible) {
      Bytes noise(payload_bytes - 5);
      for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random_());
      MsgpackWriter writer;
      writer.map(1);
      writer.str("n");
      writer.bin(noise);
      out.data = writer.take();
      return out;
    }
    price_ += 0.5 * (static_cast<double>(random_() % 41) - 20);
    const double size = static_cast<double>(random_() % 100'000) / 1e5;
    out.data = write_payload({0, number, {time_}, price_, size});
    if (data == Data::Correlated) out.correlation_id = "order-" + std::to_string(number / 4);
    return out;
  }

  std::mt19937_64 random_;
  std::int64_t time_ = 0;
  double price_ = 60'000;
  std::vector<std::shared_ptr<Bytes>> frames_;  // shared: records hold them while they are stored
  std::vector<std::uint32_t> counts_;
  std::size_t at_ = 0;
  std::uint64_t sequence_ = 1;
  Position position_ = 0;
};

Result<std::unique_ptr<SqliteStore>> open_store(const std::string& path) {
  return SqliteStore::open(path, {.clock = read_steady_clock});
}

struct Appended {
  double events_per_s = 0, bytes_per_s = 0, bytes_per_event = 0;
  double commit_ms_p50 = 0, commit_ms_p99 = 0;
};

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

/// Appends until `is_over`, with a piece of housekeeping after each commit, as a spool does it.
Result<Appended> append(SqliteStore& store, Frames& frames, std::size_t bytes,
                        const std::function<bool(Duration passed, std::uint64_t events)>& is_over) {
  std::vector<double> commits;
  std::uint64_t total = 0;
  const std::uint64_t before = frames.events();
  const SteadyTime begin = read_steady_clock();
  Duration passed{0};
  while (!is_over(passed, frames.events() - before)) {
    const auto records = frames.next(bytes);
    for (const JournalRecord& record : records) total += record.frame->size();
    const SteadyTime start = read_steady_clock();
    if (auto appended = store.append(records, read_wall_clock()); !appended) return std::unexpected(appended.error());
    commits.push_back(seconds(read_steady_clock() - start) * 1e3);
    if (auto kept = store.maintain(read_wall_clock(), {}); !kept) return std::unexpected(kept.error());
    passed = read_steady_clock() - begin;
  }
  const auto events = static_cast<double>(frames.events() - before);
  return Appended{per_second(events, passed), per_second(static_cast<double>(total), passed),
                  static_cast<double>(store.figures().bytes_on_disk) / static_cast<double>(frames.events()),
                  quantile(commits, 0.5), quantile(commits, 0.99)};
}

/// Bytes/s of the same frames as blobs of a plain table, in commits of the same size, with fsync.
double blob_rate(Frames& frames, std::size_t bytes, Duration length) {
  const Folder folder;
  SQLite::Database database(folder.file("blobs"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("PRAGMA page_size=" + std::to_string(page_bytes));
  database.exec("PRAGMA journal_mode=WAL");
  database.exec("PRAGMA synchronous=FULL");
  database.exec("PRAGMA wal_autocheckpoint=" + std::to_string(blob_log_bytes / page_bytes));
  database.exec("CREATE TABLE blob(id INTEGER PRIMARY KEY, data BLOB)");
  SQLite::Statement insert(database, "INSERT INTO blob(data) VALUES(?)");
  std::uint64_t total = 0;
  const SteadyTime begin = read_steady_clock();
  Duration passed{0};
  for (; passed < length; passed = read_steady_clock() - begin) {
    Bytes blob;
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    const auto flush = [&] {
      insert.bindNoCopy(1, blob.data(), static_cast<int>(blob.size()));
      insert.exec();
      insert.reset();
      total += blob.size();
      blob.clear();
    };
    for (const JournalRecord& record : frames.next(bytes)) {
      blob.insert(blob.end(), record.frame->begin(), record.frame->end());
      if (blob.size() >= (1 << 20)) flush();
    }
    if (!blob.empty()) flush();
    transaction.commit();
  }
  return per_second(static_cast<double>(total), passed);
}

/// ms of one fsync after a write of 4 KiB.
double fsync_ms() {
  const Folder folder;
  SQLite::Database database(folder.file("sync"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("PRAGMA journal_mode=WAL");
  database.exec("PRAGMA synchronous=FULL");
  database.exec("CREATE TABLE t(a)");
  std::vector<double> times;
  for (int i = 0; i < 200; ++i) {
    const SteadyTime start = read_steady_clock();
    database.exec("INSERT INTO t VALUES(1)");
    times.push_back(seconds(read_steady_clock() - start) * 1e3);
  }
  return quantile(times, 0.5);
}

Result<void> measure_append(const Effort& effort, const char* variant, Data data, std::size_t bytes,
                            std::size_t events_a_frame) {
  std::vector<double> ours, blobs, sizes, p50, p99;
  const Duration length = effort.length(run_length) / effort.runs;
  Frames frames(data, events_a_frame);
  double event_bytes = 0;
  for (int run = 0; run < effort.runs; ++run) {
    const Folder folder;
    Frames mine = frames;
    auto store = open_store(folder.file("spool"));
    if (!store) return std::unexpected(store.error());
    const auto appended =
        append(**store, mine, bytes, [&](Duration passed, std::uint64_t) { return passed >= length; });
    if (!appended) return std::unexpected(appended.error());
    event_bytes = appended->bytes_per_s / appended->events_per_s;
    ours.push_back(appended->events_per_s);
    blobs.push_back(blob_rate(mine, bytes, length) / event_bytes);
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

/// A store of many events: how fast it opens, is read through, and gives the events of one correlation id.
Result<void> measure_large(const Effort& effort) {
  const Folder folder;
  Frames frames(Data::Correlated, SIZE_MAX);
  const std::uint64_t wanted = lookup_events / static_cast<std::uint64_t>(effort.divisor);
  std::uint64_t events = 0;
  {
    auto store = open_store(folder.file("spool"));
    if (!store) return std::unexpected(store.error());
    const auto appended =
        append(**store, frames, batch_bytes, [&](Duration, std::uint64_t done) { return done >= wanted; });
    if (!appended) return std::unexpected(appended.error());
    events = (*store)->figures().events;
  }
  const SteadyTime begin = read_steady_clock();
  auto store = open_store(folder.file("spool"));
  const double open_ms = seconds(read_steady_clock() - begin) * 1e3;
  if (!store) return std::unexpected(store.error());
  auto reader = (*store)->open_reader();
  if (!reader) return std::unexpected(reader.error());

  const SteadyTime scan_begin = read_steady_clock();
  const auto bytes = scan_all(**reader);
  const Duration scan_passed = read_steady_clock() - scan_begin;
  if (!bytes) return std::unexpected(bytes.error());

  std::vector<double> lookups;
  std::size_t found = 0;
  for (int i = 0; i < 20; ++i) {
    const SteadyTime start = read_steady_clock();
    const auto frames_found = look_up(**reader, "order-" + std::to_string(1000 * (i + 1)));
    if (!frames_found) return std::unexpected(frames_found.error());
    lookups.push_back(seconds(read_steady_clock() - start) * 1e3);
    found += *frames_found;
  }
  const auto caption = [](const char* variant, const char* unit, const char* baseline, int decimals) {
    return Caption{.bench = "spool_store", .variant = variant, .unit = unit, .baseline = baseline, .decimals = decimals};
  };
  Line open = make_line(effort, caption("open", "ms", "asked for, of 10 M events", 1), open_ms, 2000);
  open["events"] = events;
  print(open);
  Line scan = make_line(effort, caption("scan", "events/s", "asked for", 0),
                        per_second(static_cast<double>(events), scan_passed), 2e6);
  scan["MB_per_s"] = rounded(per_second(static_cast<double>(*bytes), scan_passed) / 1e6, 1);
  print(scan);
  Line lookup = make_line(effort, caption("trace_lookup", "ms", "asked for, of 10 M events", 1), median(lookups), 200);
  lookup["events"] = events;
  lookup["ms_max"] = rounded(*std::ranges::max_element(lookups), 1);
  lookup["frames_found"] = found;
  print(lookup);
  return {};
}

}  // namespace

Result<void> spool_store(const Effort& effort) {
  if (auto done = measure_append(effort, "append_typical", Data::Typical, batch_bytes, SIZE_MAX); !done) return done;
  if (auto done = measure_append(effort, "append_incompressible", Data::Incompressible, batch_bytes, SIZE_MAX); !done) {
    return done;
  }
  if (auto done = measure_append(effort, "append_single_events", Data::Typical, 1, 1); !done) return done;
  return measure_large(effort);
}

}  // namespace legion::bench
