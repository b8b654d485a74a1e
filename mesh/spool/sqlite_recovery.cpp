#include <legion/spool/sqlite_recovery.hpp>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include <legion/spool/database.hpp>

namespace legion::spool {
namespace {

struct Identity {
  Bytes store;
  std::int64_t epoch = 0;
};

std::optional<Identity> identity_of(const std::string& path, const std::string& vfs, Access access) {
  const auto read = guarded(path, [&]() -> Result<Identity> {
    SQLite::Database database = connect(path, {.access = access, .page_bytes = 0, .vfs = vfs});
    if (access == Access::ReadOnly) keep_log_on_close(database);
    Identity identity;
    Query query(database, "SELECT name, value FROM meta");
    Rows rows = query.rows();
    while (rows.next()) {
      if (rows.text(0) == "store") identity.store.assign(rows.blob(1).begin(), rows.blob(1).end());
      if (rows.text(0) == "epoch") identity.epoch = rows.number(1);
    }
    return identity;
  });
  return read && !read->store.empty() ? std::optional(*read) : std::nullopt;
}

bool has_bytes(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

std::string free_name(const std::string& stem) {
  for (int i = 1;; ++i) {
    std::string name = stem + std::to_string(i);
    if (access(name.c_str(), F_OK) != 0) return name;
  }
}

Result<void> move_file(const std::string& from, const std::string& to, unsigned flags) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return {};
  return fail(ErrorCode::Io, "cannot rename " + from + " to " + to + ": " + std::strerror(errno));
}

std::string suspect_mark(const std::string& path) { return path + ".suspect"; }

}  // namespace

Result<void> set_stale_log_aside(const std::string& path, const std::string& vfs, std::vector<std::string>& findings) {
  const std::string log = path + "-wal";
  if (!has_bytes(path) || !has_bytes(log)) return {};
  // The database alone, and as the log makes it. A log moves the epoch on by one with its first transaction.
  const auto alone = identity_of(path, vfs, Access::Immutable);
  if (!alone) return {};
  const auto together = identity_of(path, vfs, Access::ReadOnly);
  const bool fits = together && together->store == alone->store && together->epoch >= alone->epoch &&
                    together->epoch <= alone->epoch + 1;
  if (fits) return {};
  const std::string aside = free_name(log + ".stale-");
  if (auto moved = move_file(log, aside, RENAME_NOREPLACE); !moved) return moved;
  unlink((path + "-shm").c_str());  // SQLite's index of that log; it makes a new one
  findings.push_back("the write-ahead log " + log + " does not belong to the database beside it; it was not applied and is now " +
                     aside);
  return {};
}

void mark_suspect(const std::string& path) {
  const int fd = open(suspect_mark(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

bool is_broken(const std::string& path, const std::string& vfs) {
  if (access(suspect_mark(path).c_str(), F_OK) != 0) return false;
  const auto checked = guarded(path, [&]() -> Result<bool> {
    SQLite::Database database = connect(path, {.access = Access::ReadOnly, .page_bytes = 0, .vfs = vfs});
    keep_log_on_close(database);
    return database.execAndGet("PRAGMA quick_check(1)").getString() != "ok";
  });
  const bool is = checked ? *checked : checked.error().code == ErrorCode::BadData;
  if (!is) unlink(suspect_mark(path).c_str());
  return is;
}

Result<void> salvage(const std::string& path, const SqliteStore::Options& options, std::vector<std::string>& findings) {
  const std::string target = path + ".salvage";
  // Of an attempt before this one, which did not come to its end.
  for (const char* suffix : {"", "-wal", "-shm"}) unlink((target + suffix).c_str());
  if (auto made = make_salvaged(path, target, options, findings); !made) return made;
  // In one step, so that at no moment there is no store at `path`. The log left there then is seen to be stale.
  if (auto swapped = move_file(target, path, RENAME_EXCHANGE); !swapped) return swapped;
  const std::string broken = free_name(path + ".damaged-");
  if (auto moved = move_file(target, broken, RENAME_NOREPLACE); !moved) return moved;
  if (access((path + "-wal").c_str(), F_OK) == 0) {
    if (auto moved = move_file(path + "-wal", broken + "-wal", RENAME_NOREPLACE); !moved) return moved;
  }
  unlink((path + "-shm").c_str());
  unlink(suspect_mark(path).c_str());
  findings.push_back("the broken store is now " + broken);
  return {};
}

}  // namespace legion::spool
