#include "spool_store_kit.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>

#include "payload.hpp"
#include "temporary_folder.hpp"

namespace legion::bench {

namespace {

constexpr std::size_t pool_bytes = 64 << 20;   // frames in turn, so that no block repeats within what zstd looks back on
constexpr std::size_t event_bytes_max = 256 * 1024;
constexpr std::size_t event_bytes = 256;
constexpr std::size_t page_bytes = 16384;
constexpr std::uint64_t blob_log_bytes = 16 << 20;
constexpr const char* type = "market.data_received";

}  // namespace

Frames::Frames(Data data, std::size_t events_a_frame) : random_(1) {
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

std::vector<JournalRecord> Frames::next(std::size_t bytes) {
  std::vector<JournalRecord> out;
  for (std::size_t taken = 0; taken < bytes; taken += frames_[at_]->size(), at_ = (at_ + 1) % frames_.size()) {
    number_frame(*frames_[at_], origin().incarnation, sequence_);
    sequence_ += counts_[at_];
    ++position_;
    out.push_back({origin(), JournalKind::Confirmed, position_, position_, 0, frames_[at_], {}});
  }
  return out;
}

Event Frames::event(Data data, std::uint64_t number) {
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

Result<std::unique_ptr<SqliteStore>> open_store(const std::string& path) {
  return SqliteStore::open(path, {.clock = read_steady_clock});
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

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

double sqlite_blob_rate(const std::function<std::vector<JournalRecord>()>& next, Duration length) {
  const TemporaryFolder folder;
  SQLite::Database database(folder.inside("blobs"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
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
    for (const JournalRecord& record : next()) {
      blob.insert(blob.end(), record.frame->begin(), record.frame->end());
      if (blob.size() >= (1 << 20)) flush();
    }
    if (!blob.empty()) flush();
    transaction.commit();
  }
  return per_second(static_cast<double>(total), passed);
}

double sqlite_blob_rate(std::size_t commit_bytes, Duration length) {
  Frames noise(Data::Incompressible, SIZE_MAX);
  return sqlite_blob_rate([&] { return noise.next(commit_bytes); }, length);
}

double fsync_ms() {
  const TemporaryFolder folder;
  SQLite::Database database(folder.inside("sync"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
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

}  // namespace legion::bench
