// One process at a time writes a store.
#pragma once

#include <string>
#include <utility>

#include <legion/base/error.hpp>

namespace legion::spool {

/// Holds `PATH.lock` with flock. Ownership: released by the destructor and by the end of the process, also by kill -9;
/// the file stays.
class StoreLock {
 public:
  /// Errors: Refused (held, naming the path), Io.
  static Result<StoreLock> acquire(const std::string& path);
  StoreLock(StoreLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StoreLock& operator=(StoreLock&&) = delete;
  ~StoreLock();

 private:
  explicit StoreLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

/// Makes an empty file that only its owner can read, if there is none: SQLite's own files beside it then follow.
/// Errors: Io.
Result<void> make_private_file(const std::string& path);

}  // namespace legion::spool
