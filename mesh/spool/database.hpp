// The one adapter to SQLite: connections, statements, and exceptions turned into errors. Internal to this layer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>

namespace legion::spool {

enum class Access : std::uint8_t { ReadWrite, ReadOnly, Immutable };

struct ConnectionOptions {
  Access access = Access::ReadWrite;
  std::uint32_t page_bytes = 16384;  ///< of a database that is made by this
  std::string vfs;                   ///< empty: the default one
};

/// A connection as stores use it. Immutable: what stands in the database file alone, without its log and locks.
/// Throws SQLite::Exception, as everything below that has no Result.
SQLite::Database connect(const std::string& path, const ConnectionOptions& options);

/// Closing a connection must not write: after an error, and when looking only.
void keep_log_on_close(SQLite::Database& database);
/// Syncs the database file itself.
void sync_file(SQLite::Database& database);

/// BadData: the file is damaged; Io: all else. The message has SQLite's text and codes.
Error error_of(const std::string& where, const SQLite::Exception& exception);

/// Runs what may throw SQLite::Exception and returns a Result.
template <class F>
auto guarded(const std::string& where, F&& f) -> std::invoke_result_t<F> {
  try {
    return std::forward<F>(f)();
  } catch (const SQLite::Exception& exception) {
    return std::unexpected(error_of(where, exception));
  }
}

/// The rows of one run of a statement. The statement is ready for the next run when this goes.
/// Ownership: views are valid until the next next().
class Rows {
 public:
  explicit Rows(SQLite::Statement& statement) : statement_(statement) {}
  ~Rows();
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  bool next() { return statement_.executeStep(); }
  bool is_null(int column) const { return statement_.isColumnNull(column); }
  std::int64_t number(int column) const { return statement_.getColumn(column).getInt64(); }
  std::uint64_t count(int column) const { return static_cast<std::uint64_t>(number(column)); }
  std::string_view text(int column) const { return as_text(blob(column)); }
  BytesView blob(int column) const;

 private:
  SQLite::Statement& statement_;
};

/// A prepared statement that is kept. Blobs and texts bound have to live until the run is over.
class Query {
 public:
  Query(SQLite::Database& database, const char* sql) : statement_(database, sql) {}

  template <class... Values>
  [[nodiscard]] Rows rows(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
    return Rows(statement_);
  }
  /// To the end, without looking at rows.
  template <class... Values>
  void run(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
    Rows rows(statement_);
    while (rows.next()) {
    }
  }

 private:
  template <class Value>
  void bind(int index, const Value& value) {
    if constexpr (std::is_integral_v<Value>) {
      statement_.bind(index, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_same_v<Value, std::nullopt_t>) {
      statement_.bind(index);
    } else if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
      statement_.bind(index, std::string(std::string_view(value)));
    } else if constexpr (std::is_convertible_v<const Value&, BytesView>) {
      bind_blob(index, value);
    } else {
      value ? bind(index, *value) : statement_.bind(index);
    }
  }
  void bind_blob(int index, BytesView bytes);

  SQLite::Statement statement_;
};

/// A read transaction for as long as it lives.
class Snapshot {
 public:
  explicit Snapshot(SQLite::Database& database);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  SQLite::Database& database_;
};

}  // namespace legion::spool
