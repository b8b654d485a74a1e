// SQLite's way to files, with faults on demand.
#pragma once

#include <memory>
#include <string>

#include <sqlite3.h>

namespace legion::spool_test {

/// Registers a VFS that does as the default one until it is told to fail. Thread: one.
class FaultyVfs {
 public:
  explicit FaultyVfs(std::string name);
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  const std::string& name() const { return name_; }

  /// After so many more, writes answer this (SQLITE_IOERR_WRITE, SQLITE_FULL).
  void fail_writes_after(int count, int code) { writes_left_ = count, write_code_ = code; }
  void fail_syncs_after(int count) { syncs_left_ = count; }
  /// Nothing waits for the disk any more: for what looks only at what was written.
  void skip_syncs() { skips_syncs_ = true; }
  bool skips_syncs() const { return skips_syncs_; }
  void heal() { writes_left_ = syncs_left_ = -1; }
  int failures() const { return failures_; }
  int syncs() const { return syncs_; }

  int on_write();
  int on_sync();
  sqlite3_vfs* real() const { return real_; }

 private:
  std::string name_;
  sqlite3_vfs* real_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  int writes_left_ = -1, syncs_left_ = -1;
  int write_code_ = SQLITE_IOERR_WRITE;
  int failures_ = 0, syncs_ = 0;
  bool skips_syncs_ = false;
};

}  // namespace legion::spool_test
