// The tables of a store and its format version: docs/spool-format.md, "Tables".
#pragma once

#include <span>

#include <legion/base/error.hpp>
#include <legion/event/journal.hpp>
#include <legion/spool/database.hpp>

namespace legion::spool {

inline constexpr int store_application_id = 0x4c47534e;  ///< "LGSN"
inline constexpr int store_format_version = 1;

/// Leads from one version of the format to the next.
struct Migration {
  int from = 0;
  const char* sql = "";
};

/// Makes the tables of an empty database, or brings an older one to the present version, one transaction a step.
/// Errors: WrongVersion (newer than known, or older without a way), BadData (a database of something else), Io.
Result<void> prepare_schema(SQLite::Database& database, const std::string& path, const StoreId& id_if_new);
/// As the step of it, for tests of steps to come.
Result<void> migrate(SQLite::Database& database, const std::string& path, std::span<const Migration> steps, int target);

/// For reading only: nothing is changed. Errors: as above; also WrongVersion of one that has to be migrated.
Result<void> check_schema(SQLite::Database& database, const std::string& path);
/// Only whose it is and of which version: its tables may be damaged. Errors: as above.
Result<void> check_stamp(SQLite::Database& database, const std::string& path);

}  // namespace legion::spool
