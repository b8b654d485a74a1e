#include <legion/spool/sqlite_recovery.hpp>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include <legion/spool/database.hpp>
#include <legion/spool/sqlite_schema.hpp>

namespace legion::spool {
namespace {

struct Identity {
  Bytes store;
  std::int64_t copies = 0, base = 0;
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
      if (rows.text(0) == "copies") identity.copies = rows.number(1);
      if (rows.text(0) == "base") identity.base = rows.number(1);
    }
    return identity;
  });
  return read && !read->store.empty() ? std::optional(*read) : std::nullopt;
}

bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string free_name(const std::string& stem) {
  for (int i = 1;; ++i) {
    std::string name = stem + std::to_string(i);
    if (!is_there(name) && !is_there(name + "-wal")) return name;
  }
}

Result<void> failed(const char* what, const std::string& from, const std::string& to) {
  return fail(ErrorCode::Io, std::string("cannot ") + what + " " + from + " to " + to + ": " + std::strerror(errno));
}

Result<void> move_aside(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  return failed("rename", from, to);
}

Result<void> name_again(const std::string& from, const std::string& to) {
  if (link(from.c_str(), to.c_str()) == 0) return {};
  return failed("link", from, to);
}

std::string suspect_mark(const std::string& path) { return path + ".suspect"; }

// What every SQLite file begins with; its numbers are big-endian.
struct FileHeader {
  static constexpr std::size_t page_bytes_at = 16, changes_at = 24, pages_at = 28, application_at = 68,
                               valid_for_at = 92;
  std::array<char, 100> bytes{};

  // Nothing: not such a file, or none at all.
  static std::optional<FileHeader> read(const std::string& path) {
    constexpr std::string_view words("SQLite format 3\0", 16);
    FileHeader header;
    std::ifstream file(path, std::ios::binary);
    const bool is_one = file.read(header.bytes.data(), static_cast<std::streamsize>(header.bytes.size())) &&
                        std::string_view(header.bytes.data(), words.size()) == words;
    return is_one ? std::optional(header) : std::nullopt;
  }

  std::uint32_t number_at(std::size_t at) const {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<std::uint8_t>(bytes[at + i]);
    return number;
  }

  // 0: the header does not say.
  std::uint64_t file_bytes() const {
    if (number_at(changes_at) != number_at(valid_for_at)) return 0;
    const std::uint32_t page = number_at(page_bytes_at) >> 16;
    return std::uint64_t{number_at(pages_at)} * (page == 1 ? 65536 : page);
  }
};

}  // namespace

bool has_bytes(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

std::string without_links(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(path, error);
  return error ? path : real.string();
}

Result<void> check_owner(const std::string& path) {
  const auto header = FileHeader::read(path);
  if (!header) return {};
  const std::uint32_t application = header->number_at(FileHeader::application_at);
  // A new store says so in its log first.
  const bool may_be_new =
      application == 0 && (header->number_at(FileHeader::pages_at) <= 1 || has_bytes(path + "-wal"));
  if (application == store_application_id || may_be_new) return {};
  return fail(ErrorCode::BadData, path + " is a database, but not a spool's store");
}

Result<void> check_length(const std::string& path) {
  const auto has_log = [&] { return has_bytes(path + "-wal"); };
  if (has_log()) return {};
  const auto header = FileHeader::read(path);
  if (!header) return {};
  const std::uint64_t wanted = header->file_bytes();
  struct stat status{};
  // One that has begun since was perhaps copied back while the header was read.
  if (stat(path.c_str(), &status) != 0 || has_log()) return {};
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes >= wanted) return {};
  return fail(ErrorCode::BadData, "the file " + path + " is cut off: it has " + std::to_string(bytes) +
                                      " bytes instead of " + std::to_string(wanted));
}

Result<void> set_stale_log_aside(const std::string& path, const std::string& vfs, std::vector<std::string>& findings) {
  const std::string log = path + "-wal";
  if (!has_bytes(path) || !has_bytes(log)) return {};
  // The database alone, and as the log makes it. What was copied back from a log, or from a later one, is in the
  // database with a higher count than an earlier state of the log has; and a log builds on no less than its first
  // transaction says.
  const auto alone = identity_of(path, vfs, Access::Immutable);
  if (!alone) return {};
  const auto together = identity_of(path, vfs, Access::ReadOnly);
  const bool fits = together && together->store == alone->store && together->copies >= alone->copies &&
                    together->base <= alone->copies;
  if (fits) return {};
  const std::string aside = free_name(log + ".stale-");
  if (auto moved = move_aside(log, aside); !moved) return moved;
  unlink((path + "-shm").c_str());  // SQLite's index of that log; it makes a new one
  findings.push_back("the write-ahead log " + log +
                     " does not belong to the database beside it; it was not applied and is now " + aside);
  return {};
}

void mark_suspect(const std::string& path) {
  const int fd = open(suspect_mark(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

bool is_broken(const std::string& path, const std::string& vfs) {
  if (!is_there(suspect_mark(path))) return false;
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
  // A second name first, so that at no moment the broken one has none, nor `path` no store. The log left there then is
  // seen to be stale.
  const std::string broken = free_name(path + ".damaged-");
  if (auto named = name_again(path, broken); !named) return named;
  if (has_bytes(path + "-wal")) {
    if (auto named = name_again(path + "-wal", broken + "-wal"); !named) return named;
  }
  if (rename(target.c_str(), path.c_str()) != 0) return failed("rename", target, path);
  for (const char* suffix : {"-wal", "-shm"}) unlink((path + suffix).c_str());
  unlink(suspect_mark(path).c_str());
  findings.push_back("the broken store is now " + broken);
  return {};
}

}  // namespace legion::spool
