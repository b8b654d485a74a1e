#include <legion/spool/database.hpp>

#include <sqlite3.h>

#include <legion/base/assert.hpp>

namespace legion::spool {
namespace {

constexpr int busy_timeout_ms = 5000;

void set_up_writer(SQLite::Database& database, const ConnectionOptions& options) {
  database.exec("PRAGMA page_size=" + std::to_string(options.page_bytes));
  database.exec("PRAGMA auto_vacuum=NONE");
  database.exec("PRAGMA journal_mode=WAL");
  database.exec("PRAGMA synchronous=FULL");
  database.exec("PRAGMA wal_autocheckpoint=0");
  // Without it everything deleted would be overwritten, through the log.
  database.exec("PRAGMA secure_delete=OFF");
  database.exec("PRAGMA cache_size=-16384");
}

void set_up_reader(SQLite::Database& database) {
  database.exec("PRAGMA query_only=ON");
  // A file shorter than it says it is can be read as far as it goes.
  database.exec("PRAGMA writable_schema=ON");
  database.exec("PRAGMA cache_size=-4096");
}

// A path inside a URI: what has a meaning there is escaped.
std::string uri_of(const std::string& path) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      out += '%';
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 0x0f];
    } else {
      out += c;
    }
  }
  return out + "?immutable=1";
}

}  // namespace

SQLite::Database connect(const std::string& path, const ConnectionOptions& options) {
  if (options.access == Access::ReadWrite) {
    SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX,
                              busy_timeout_ms, options.vfs);
    set_up_writer(database, options);
    return database;
  }
  const bool is_immutable = options.access == Access::Immutable;
  SQLite::Database database(is_immutable ? uri_of(path) : path,
                            SQLite::OPEN_READONLY | SQLite::OPEN_NOMUTEX | (is_immutable ? SQLite::OPEN_URI : 0),
                            busy_timeout_ms, options.vfs);
  set_up_reader(database);
  return database;
}

void keep_log_on_close(SQLite::Database& database) {
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void sync_file(SQLite::Database& database) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
      file == nullptr || file->pMethods == nullptr) {
    return;
  }
  const int code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) throw SQLite::Exception("cannot sync the database file", code);
}

Error error_of(const std::string& where, const SQLite::Exception& exception) {
  const int code = exception.getErrorCode() & 0xff;
  const std::string_view what = exception.what();
  // The statements are always the same ones: where they do not fit, the schema is not what was written.
  const bool fits = !what.starts_with("no such ") && !what.starts_with("table ");
  const bool is_damage = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || (code == SQLITE_ERROR && !fits);
  std::string text = where + ": " + exception.what() + " (SQLite " + std::to_string(exception.getErrorCode());
  if (exception.getExtendedErrorCode() > 0 && exception.getExtendedErrorCode() != exception.getErrorCode()) {
    text += ", " + std::to_string(exception.getExtendedErrorCode());
  }
  return {is_damage ? ErrorCode::BadData : ErrorCode::Io, text + ")"};
}

Rows::~Rows() { statement_.tryReset(); }

BytesView Rows::blob(int column) const {
  const SQLite::Column value = statement_.getColumn(column);
  const auto* bytes = static_cast<const std::uint8_t*>(value.getBlob());
  return {bytes, static_cast<std::size_t>(value.getBytes())};
}

void Query::bind_blob(int index, BytesView bytes) {
  LEGION_ASSERT(bytes.size() <= INT32_MAX);
  // SQLite takes a null pointer for NULL.
  const void* const data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  statement_.bindNoCopy(index, data, static_cast<int>(bytes.size()));
}

Snapshot::Snapshot(SQLite::Database& database) : database_(database) { database_.exec("BEGIN"); }

Snapshot::~Snapshot() { database_.tryExec("COMMIT"); }

}  // namespace legion::spool
