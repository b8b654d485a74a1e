#include <legion/spool/sqlite_upkeep.hpp>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sqlite3.h>
#include <SQLiteCpp/Backup.h>

#include <legion/spool/sqlite_rebuild.hpp>
#include <legion/spool/sqlite_recovery.hpp>

namespace legion::spool {
namespace {

constexpr int wait_for_readers_ms = 250;
constexpr int patience_ms = 5000;
constexpr std::uint64_t very_long = 4;  // times log_bytes
constexpr int backup_pages_a_step = 256;
constexpr int blocks_checked_on_open = 4;

// Whether all of the log was copied back.
bool copy_log_back(WriterState& state, int mode) {
  int in_log = 0, copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(state.database.getHandle(), "main", mode, &in_log, &copied);
  if (code != SQLITE_OK && code != SQLITE_BUSY) throw SQLite::Exception(state.database.getHandle(), code);
  const bool is_whole = code == SQLITE_OK && in_log == copied;
  if (is_whole) {
    state.is_log_fresh = true;
    state.log_pages = 0;
  }
  return is_whole;
}

std::uint64_t log_bytes(const WriterState& state) { return state.log_pages * state.options.page_bytes; }

}  // namespace

void measure_database(WriterState& state) {
  state.database_bytes =
      static_cast<std::uint64_t>(state.database.execAndGet("PRAGMA page_count").getInt64()) * state.options.page_bytes;
}

void settle(WriterState& state) {
  // No earlier state of what is left in the log can be taken for it once it is copied back. A full disk is no reason
  // not to open; what could not be synced is.
  if (has_bytes(state.path + "-wal")) {
    const int code = state.database.tryExec("UPDATE meta SET value = value + 1 WHERE name = 'copies'");
    if (code != SQLITE_OK && code != SQLITE_FULL) throw SQLite::Exception(state.database.getHandle(), code);
  }
  // A reader of another process can keep the log from being cut off, not from being copied back and synced.
  state.is_log_fresh = false;
  if (!copy_log_back(state, SQLITE_CHECKPOINT_TRUNCATE)) copy_log_back(state, SQLITE_CHECKPOINT_PASSIVE);
  sync_file(state.database);
}

void close(WriterState& state) {
  // What fails here is done by the next open.
  if (write(state, "close", Sync::WithTheNext, [&] { save(state); })) {
    (void)limit_log(state, 0);
  }
}

Result<void> limit_log(WriterState& state, std::uint64_t bytes_max) {
  if (log_bytes(state) <= bytes_max) return {};
  const auto saved = write(state, "save the head of", Sync::WithTheNext, [&] {
    save(state);
    state.sql.put_meta.run("copies", state.copies + 1);
  });
  if (!saved) return saved;
  ++state.copies;
  const auto copied = guarded("cannot copy back the log of " + state.path, [&]() -> Result<void> {
    const bool is_whole = copy_log_back(state, SQLITE_CHECKPOINT_PASSIVE);
    const bool waits =
        !is_whole && log_bytes(state) > very_long * state.options.log_bytes && state.shared->long_readers.load() == 0;
    if (waits) {
      state.database.setBusyTimeout(wait_for_readers_ms);
      copy_log_back(state, SQLITE_CHECKPOINT_RESTART);
      state.database.setBusyTimeout(patience_ms);
    }
    measure_database(state);
    return {};
  });
  if (copied) return copied;
  freeze(state, copied.error());
  return fail(ErrorCode::Io, copied.error().message);
}

Result<bool> maintain(WriterState& state, WallTime now, const RetentionPolicy& retention) {
  if (auto ok = writable(state); !ok) return std::unexpected(std::move(ok.error()));
  if (auto limited = limit_log(state, state.options.log_bytes); !limited) {
    return std::unexpected(std::move(limited.error()));
  }
  if (const auto some = quarantine_step(state); !some || *some) return some;
  if (const auto some = trim_step(state, now, retention); !some || *some) return some;
  return merge_step(state);
}

Result<void> check_end(WriterState& state) {
  std::vector<CommitNumber> last;
  Query query(state.database, "SELECT first FROM block ORDER BY first DESC LIMIT ?");
  for (Rows rows = query.rows(blocks_checked_on_open); rows.next();) last.push_back(rows.count(0));
  for (const CommitNumber first : last) (void)load_block_at(state, first);
  if (auto done = quarantine_step(state); !done) return std::unexpected(std::move(done.error()));
  return {};
}

namespace {

// A block and its body are written in one transaction: where one is gone, the tree is broken.
Result<void> check_body(WriterState& state, CommitNumber first) {
  return guarded("cannot reach the body of block " + std::to_string(first) + " in " + state.path,
                 [&]() -> Result<void> {
                   {
                     Rows rows = state.sql.block_at.rows(first);
                     if (!rows.next()) return {};
                   }
                   Rows rows = state.sql.body.rows(first);
                   if (rows.next()) return {};
                   return fail(ErrorCode::BadData,
                               "the body of block " + std::to_string(first) + " in " + state.path + " is gone");
                 });
}

}  // namespace

Result<bool> quarantine_step(WriterState& state) {
  const std::vector<CommitNumber> damaged = state.shared->take_damaged();
  for (const CommitNumber first : damaged) {
    if (const auto reached = check_body(state, first); !reached) {
      freeze(state, reached.error());
      return std::unexpected(reached.error());
    }
    const auto written = write(state, "quarantine a block of", Sync::WithTheNext, [&] {
      BlockRow row;
      {
        Rows rows = state.sql.block_at.rows(first);
        if (!rows.next()) return;
        row = read_block_row(rows);
      }
      if (row.has(block_quarantined)) return;
      // Its own list of what it holds may be what is damaged.
      std::vector<BlockPositions> lost;
      for (Rows rows = state.sql.positions_of_block.rows(first); rows.next();) {
        lost.push_back({rows.number(0), read_range(rows, 1)});
      }
      state.sql.remove_spans_of_block.run(first);
      state.sql.remove_positions_of_block.run(first);
      state.sql.flag_block.run(static_cast<int>(block_quarantined), first);
      for (auto& [origin, book] : state.books) {
        for (const JournalKind kind : all_journals) {
          JournalBook& journal = book.of(kind);
          for (const BlockPositions& run : lost) {
            if (run.journal != journal.row) continue;
            journal.held.remove(run.range);
            journal.is_unsaved = true;
          }
        }
      }
      state.head.frames -= row.frames;
      state.head.events -= row.events;
      state.head.body_bytes -= row.stored_bytes;
      ++state.head.quarantined;
      save(state);
    });
    if (!written) return std::unexpected(written.error());
  }
  return !damaged.empty();
}

namespace {

/// A name that is taken back unless the file under it is finished.
class PartialFile {
 public:
  explicit PartialFile(std::string path) : path_(std::move(path)) {}
  ~PartialFile() {
    if (is_made_) unlink(path_.c_str());
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  Result<void> make() {
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return fail(ErrorCode::Io, "cannot make " + path_ + ": " + std::strerror(errno));
    ::close(fd);
    is_made_ = true;
    return {};
  }
  // Never over another file.
  Result<void> finish(const std::string& target) {
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
      return fail(ErrorCode::Io, "cannot make " + target + ": " + std::strerror(errno));
    }
    is_made_ = false;
    const std::size_t slash = target.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : target.substr(0, slash + 1);
    const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) ::close(fd);
    if (!is_synced) return fail(ErrorCode::Io, "cannot sync " + folder + ": " + std::strerror(errno));
    return {};
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool is_made_ = false;
};

class LongReader {
 public:
  explicit LongReader(SharedFigures& shared) : shared_(shared) { ++shared_.long_readers; }
  ~LongReader() { --shared_.long_readers; }
  LongReader(const LongReader&) = delete;
  LongReader& operator=(const LongReader&) = delete;

 private:
  SharedFigures& shared_;
};

}  // namespace

Result<void> backup(const WriterState& state, const std::string& target) {
  if (access(target.c_str(), F_OK) == 0) return fail(ErrorCode::Io, target + " exists; a backup overwrites nothing");
  PartialFile partial(target + ".partial");
  if (auto made = partial.make(); !made) return made;
  const LongReader long_reader(*state.shared);
  const auto copied = guarded("cannot back up " + state.path + " to " + target, [&]() -> Result<void> {
    // With a read transaction around all steps the copy is of one moment, and no write makes it begin again; the log
    // grows meanwhile.
    SQLite::Database source =
        connect(state.path, {.access = Access::ReadOnly, .page_bytes = 0, .vfs = state.options.vfs});
    const Snapshot snapshot(source);
    source.execAndGet("SELECT count(*) FROM meta");
    SQLite::Database copy(partial.path(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, patience_ms);
    SQLite::Backup steps(copy, source);
    while (steps.executeStep(backup_pages_a_step) != SQLITE_DONE) {
    }
    return {};
  });
  if (!copied) return copied;
  return partial.finish(target);
}

}  // namespace legion::spool
