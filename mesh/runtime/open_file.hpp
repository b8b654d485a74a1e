// A descriptor that closes itself, and how an error of the system names its file.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <legion/base/error.hpp>

namespace legion {

/// Closes on every way out.
struct OpenFile {
  int fd;
  explicit OpenFile(int descriptor) : fd(descriptor) {}
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
};

/// Of the call that has just failed.
inline std::unexpected<Error> io_error(const std::filesystem::path& path, const char* what) {
  return fail(ErrorCode::Io, path.string() + ": cannot " + what + ": " + std::strerror(errno));
}

}  // namespace legion
