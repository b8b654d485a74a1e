#include <legion/spool/sqlite_schema.hpp>

#include <array>
#include <string>
#include <vector>

namespace legion::spool {
namespace {

constexpr const char* tables = R"(
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE origin(id INTEGER PRIMARY KEY, node TEXT NOT NULL, incarnation INTEGER NOT NULL, boot BLOB,
  final_confirmed INTEGER, final_captured INTEGER, UNIQUE(node, incarnation));
CREATE TABLE journal(id INTEGER PRIMARY KEY, origin INTEGER NOT NULL, floor INTEGER NOT NULL,
  released_1 INTEGER NOT NULL, released_2 INTEGER NOT NULL, released_3 INTEGER NOT NULL, released_4 INTEGER NOT NULL,
  through INTEGER NOT NULL, held BLOB NOT NULL);
CREATE TABLE stream(id INTEGER PRIMARY KEY, node TEXT NOT NULL, incarnation INTEGER NOT NULL, lane INTEGER NOT NULL,
  type TEXT NOT NULL, shard INTEGER NOT NULL, trimmed INTEGER NOT NULL,
  UNIQUE(node, incarnation, lane, type, shard));
CREATE TABLE block(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, frames INTEGER NOT NULL, events INTEGER NOT NULL,
  raw_bytes INTEGER NOT NULL, stored_bytes INTEGER NOT NULL, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,
  recorded_min INTEGER NOT NULL, recorded_max INTEGER NOT NULL, lanes INTEGER NOT NULL, flags INTEGER NOT NULL,
  checksum INTEGER NOT NULL, chain_before BLOB NOT NULL, chain_after BLOB NOT NULL, contents BLOB NOT NULL);
CREATE TABLE body(block INTEGER PRIMARY KEY, filter BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE span(stream INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, block INTEGER NOT NULL,
  journal INTEGER NOT NULL, position_first INTEGER NOT NULL, position_last INTEGER NOT NULL,
  PRIMARY KEY(stream, first, block)) WITHOUT ROWID;
CREATE TABLE position(journal INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, block INTEGER NOT NULL,
  PRIMARY KEY(journal, first)) WITHOUT ROWID;
CREATE TABLE void(journal INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, spans BLOB NOT NULL,
  PRIMARY KEY(journal, first)) WITHOUT ROWID;
CREATE TABLE void_span(stream INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  journal INTEGER NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY(stream, first, journal)) WITHOUT ROWID;
CREATE TABLE cursor(subscription TEXT PRIMARY KEY, counter INTEGER NOT NULL, node TEXT NOT NULL, filter TEXT NOT NULL,
  form INTEGER NOT NULL, updated INTEGER NOT NULL, by_node TEXT NOT NULL, by_incarnation INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE cursor_stream(subscription TEXT NOT NULL, node TEXT NOT NULL, incarnation INTEGER NOT NULL,
  lane INTEGER NOT NULL, type TEXT NOT NULL, shard INTEGER NOT NULL, done INTEGER NOT NULL, ahead BLOB NOT NULL,
  PRIMARY KEY(subscription, node, incarnation, lane, type, shard)) WITHOUT ROWID;
CREATE TABLE attempt(subscription TEXT NOT NULL, event TEXT NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL,
  first_time INTEGER NOT NULL, last_time INTEGER NOT NULL, PRIMARY KEY(subscription, event)) WITHOUT ROWID;
CREATE TABLE dead_letter(key TEXT PRIMARY KEY, event TEXT NOT NULL, agent TEXT NOT NULL, subscription TEXT NOT NULL,
  round INTEGER NOT NULL, state INTEGER NOT NULL, requeues INTEGER NOT NULL, attempts INTEGER NOT NULL,
  death_round INTEGER NOT NULL, deaths BLOB NOT NULL, frame BLOB NOT NULL);
CREATE INDEX dead_letter_dead ON dead_letter(state) WHERE state = 0;
CREATE TABLE mark(name TEXT PRIMARY KEY, number INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
)";

// For the first change of the format: {1, "ALTER TABLE .."}.
constexpr std::array<Migration, 0> migrations{};

struct Stamp {
  int application = 0;
  int version = 0;
  bool is_empty = false;
};

Stamp read_stamp(SQLite::Database& database) {
  return {database.execAndGet("PRAGMA application_id").getInt(), database.execAndGet("PRAGMA user_version").getInt(),
          database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0};
}

std::unexpected<Error> newer(const std::string& path, int version, int target) {
  return fail(ErrorCode::WrongVersion, "the store " + path + " has format version " + std::to_string(version) +
                                           ", this program knows up to " + std::to_string(target) +
                                           "; it was written by a later version of legion");
}

void create(SQLite::Database& database, const StoreId& id) {
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  database.exec(tables);
  Query(database, "INSERT INTO meta VALUES('store', ?)").run(id.bytes);
  database.exec("INSERT INTO meta VALUES('copies', 0)");
  database.exec("PRAGMA application_id=" + std::to_string(store_application_id));
  database.exec("PRAGMA user_version=" + std::to_string(store_format_version));
  transaction.commit();
}

std::vector<std::string> statements_of(SQLite::Database& database) {
  std::vector<std::string> out;
  SQLite::Statement query(database, "SELECT name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name");
  while (query.executeStep()) out.push_back(query.getColumn(0).getString());
  return out;
}

/// With another text of a table, what is in it would be read as something else.
Result<void> check_tables(SQLite::Database& database, const std::string& path) {
  SQLite::Database fresh(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  fresh.exec(tables);
  for (const Migration& step : migrations) fresh.exec(step.sql);
  if (statements_of(database) == statements_of(fresh)) return {};
  return fail(ErrorCode::BadData, "the tables of " + path + " are not those of a spool's store of this version");
}

}  // namespace

Result<void> migrate(SQLite::Database& database, const std::string& path, std::span<const Migration> steps,
                     int target) {
  return guarded(path, [&]() -> Result<void> {
    for (int version = read_stamp(database).version; version != target; ++version) {
      if (version > target) return newer(path, version, target);
      const Migration* step = nullptr;
      for (const Migration& each : steps) step = each.from == version ? &each : step;
      if (step == nullptr) {
        return fail(ErrorCode::WrongVersion, "the store " + path + " has format version " + std::to_string(version) +
                                                 ", from which no way leads to version " + std::to_string(target));
      }
      SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
      database.exec(step->sql);
      database.exec("PRAGMA user_version=" + std::to_string(version + 1));
      transaction.commit();
    }
    return {};
  });
}

Result<void> prepare_schema(SQLite::Database& database, const std::string& path, const StoreId& id_if_new) {
  return guarded(path, [&]() -> Result<void> {
    const Stamp stamp = read_stamp(database);
    if (stamp.is_empty && stamp.application == 0) {
      create(database, id_if_new);
      return {};
    }
    if (stamp.application != store_application_id) {
      return fail(ErrorCode::BadData, path + " is a database, but not a spool's store");
    }
    if (auto migrated = migrate(database, path, migrations, store_format_version); !migrated) return migrated;
    return check_tables(database, path);
  });
}

Result<void> check_schema(SQLite::Database& database, const std::string& path) {
  if (auto ours = check_stamp(database, path); !ours) return ours;
  return guarded(path, [&] { return check_tables(database, path); });
}

Result<void> check_stamp(SQLite::Database& database, const std::string& path) {
  return guarded(path, [&]() -> Result<void> {
    const Stamp stamp = read_stamp(database);
    if (stamp.application != store_application_id) {
      return fail(ErrorCode::BadData, path + " is not a spool's store");
    }
    if (stamp.version > store_format_version) return newer(path, stamp.version, store_format_version);
    if (stamp.version < store_format_version) {
      return fail(ErrorCode::WrongVersion,
                  "the store " + path + " has format version " + std::to_string(stamp.version) +
                      "; open it once for writing to bring it to version " + std::to_string(store_format_version));
    }
    return check_tables(database, path);
  });
}

}  // namespace legion::spool
