// What the benchmarks of the spool's store share: frames as a busy node packs them, appending them, and what SQLite
// itself does with the same bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <legion/event/event.hpp>
#include <legion/event/journal.hpp>
#include <legion/spool/sqlite_store.hpp>

namespace legion::bench {

enum class Data : std::uint8_t { Typical, Incompressible, Correlated };

inline double seconds(Duration duration) { return static_cast<double>(duration.count()) * 1e-9; }
inline double per_second(double count, Duration passed) { return count / std::max(seconds(passed), 1e-9); }
double quantile(std::vector<double> values, double share);

/// Frames as the loop of a busy node packs them, numbered anew each time round.
class Frames {
 public:
  Frames(Data data, std::size_t events_a_frame);

  static Origin origin() { return {"feed-1", 1'795'227'053'288'149'492}; }

  /// At least so many bytes of records, which go on where the last ones ended.
  std::vector<JournalRecord> next(std::size_t bytes);
  std::uint64_t events() const { return sequence_ - 1; }

 private:
  Event event(Data data, std::uint64_t number);

  std::mt19937_64 random_;
  std::int64_t time_ = 0;
  double price_ = 60'000;
  std::vector<std::shared_ptr<Bytes>> frames_;  // shared: records hold them while they are stored
  std::vector<std::uint32_t> counts_;
  std::size_t at_ = 0;
  std::uint64_t sequence_ = 1;
  Position position_ = 0;
};

Result<std::unique_ptr<SqliteStore>> open_store(const std::string& path);

struct Appended {
  double events_per_s = 0, bytes_per_s = 0, bytes_per_event = 0;
  double commit_ms_p50 = 0, commit_ms_p99 = 0;
};
/// Appends until `is_over`, with a piece of housekeeping after each commit, as a spool does it.
Result<Appended> append(SqliteStore& store, Frames& frames, std::size_t bytes,
                        const std::function<bool(Duration passed, std::uint64_t events)>& is_over);

/// Bytes/s of plain SQLite: what `next` gives for one commit goes into blobs of a table, in the same journal mode, with
/// fsync, for so long. Divided by the bytes of an event it is the events/s that a store can be held against.
double sqlite_blob_rate(const std::function<std::vector<JournalRecord>()>& next, Duration length);
/// The same of noise, in commits of so many bytes.
double sqlite_blob_rate(std::size_t commit_bytes, Duration length);
/// ms of one commit of a row of 1 byte, fsync included.
double fsync_ms();

}  // namespace legion::bench
