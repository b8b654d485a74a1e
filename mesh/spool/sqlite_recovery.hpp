// What is done, before a store is opened for writing, about files that do not fit together or are broken. Nothing is
// deleted: what is not used is renamed. Internal to this layer.
#pragma once

#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/spool/sqlite_store.hpp>

namespace legion::spool {

/// A write-ahead log that was not written on top of the database beside it (one of them is an older or another copy)
/// would make one broken database of two good ones: it is renamed. `findings` says so. Errors: Io.
Result<void> set_stale_log_aside(const std::string& path, const std::string& vfs, std::vector<std::string>& findings);

bool has_bytes(const std::string& path);

/// The file that `path` leads to: two links to one store have one lock, and SQLite keeps its log beside that file.
std::string without_links(const std::string& path);

/// A database of something else is left as it is: opening it for writing would already change it. Errors: BadData.
Result<void> check_owner(const std::string& path);

/// That the end of the file is there. With a log, which may hold it, nothing can be said. Errors: BadData.
Result<void> check_length(const std::string& path);

/// Notes that the structure of the file was found broken while it was open, for the next open.
void mark_suspect(const std::string& path);
/// Whether it was, and still is.
bool is_broken(const std::string& path, const std::string& vfs);

/// Writes everything in a broken store that can be read into a new one at `target`, closed and on disk.
/// Errors: BadData (not a store, or nothing of it can be read), Io.
Result<void> make_salvaged(const std::string& path, const std::string& target, const SqliteStore::Options& options,
                           std::vector<std::string>& findings);

/// Makes a new store of everything in a broken one that can be read, and puts it in its place; the broken one is
/// renamed. Errors: BadData (not a store, or nothing of it can be read), Io.
Result<void> salvage(const std::string& path, const SqliteStore::Options& options, std::vector<std::string>& findings);

}  // namespace legion::spool
