// A private directory that one process at a time may use.
#pragma once

#include <string>
#include <utility>

#include <legion/base/error.hpp>

namespace legion::transport {

/// Holds `DIRECTORY/lock` with flock. Ownership: released by the destructor and by the end of the process, also by
/// kill -9; the file stays.
class DirectoryLock {
 public:
  /// Makes the directory (not its parents) with mode 0700; takes away what others may do in an existing one.
  /// Errors: AddressInUse (held by another), Refused (not ours), Io.
  static Result<DirectoryLock> acquire(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace legion::transport
