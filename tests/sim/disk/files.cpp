// Calls of the system on real files, as a process with a simulated disk sees them. Everybody else's go through.
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <map>
#include <string>

#include "disk.hpp"

namespace legion::sim {
namespace {

struct OpenFile {
  Disk* disk;
  std::string path;
};

std::map<int, OpenFile>& open_files() {
  static auto* const files = new std::map<int, OpenFile>;
  return *files;
}

OpenFile* file_of(int fd) {
  const auto found = open_files().find(fd);
  return found == open_files().end() ? nullptr : &found->second;
}

Disk* disk_of_caller() {
  const Process* process = Kernel::get().current();
  return process == nullptr ? nullptr : process->disk;
}

int opened(int fd, const char* path, int flags) {
  Disk* disk = fd < 0 || (flags & O_ACCMODE) == O_RDONLY ? nullptr : disk_of_caller();
  if (disk != nullptr && disk->has(path)) open_files()[fd] = {disk, path};
  return fd;
}

template <class Call>
ssize_t write_to(int fd, std::uint64_t offset, std::uint64_t bytes, Call call) {
  if (OpenFile* file = file_of(fd)) {
    if (const int error = file->disk->before_write(); error != 0) {
      errno = error;
      return -1;
    }
    bytes = file->disk->taken_of(bytes);
    file->disk->unsynced().note(fd, file->path, offset, bytes);
  }
  return call(bytes);
}

std::int64_t plain_write(int fd, const void* from, std::uint64_t bytes) {
  const auto call = [&](std::uint64_t count) { return ::syscall(SYS_write, fd, from, count); };
  if (file_of(fd) == nullptr) return call(bytes);
  const auto at = ::lseek(fd, 0, SEEK_CUR);
  return write_to(fd, static_cast<std::uint64_t>(at < 0 ? 0 : at), bytes, call);
}

int sync_file(int fd, long number) {
  if (OpenFile* file = file_of(fd)) {
    const std::string path = file->path;  // the list of files may change while this one waits
    Disk* disk = file->disk;
    if (const int error = disk->sync(); error != 0) {
      errno = error;
      return -1;
    }
    disk->unsynced().synced(path);
    return 0;
  }
  return static_cast<int>(::syscall(number, fd));
}

[[maybe_unused]] const bool hooked = [] {
  file_hooks() = {.write = &plain_write, .before_close = [](int fd) { open_files().erase(fd); }};
  return true;
}();

int open_at(int folder, const char* path, int flags, mode_t mode) {
  return opened(static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode)), path, flags);
}

}  // namespace
}  // namespace legion::sim

using namespace legion::sim;

#define LEGION_MODE_OF(flags, last)             \
  mode_t mode = 0;                              \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
    va_list more;                               \
    va_start(more, last);                       \
    mode = va_arg(more, mode_t);                \
    va_end(more);                               \
  }

extern "C" {

int open(const char* path, int flags, ...) {
  LEGION_MODE_OF(flags, flags)
  return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  LEGION_MODE_OF(flags, flags)
  return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  LEGION_MODE_OF(flags, flags)
  return open_at(folder, path, flags, mode);
}

ssize_t pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  return write_to(fd, static_cast<std::uint64_t>(offset), bytes,
                  [&](std::uint64_t count) { return ::syscall(SYS_pwrite64, fd, from, count, offset); });
}
ssize_t pwrite64(int fd, const void* from, size_t bytes, off64_t offset) { return pwrite(fd, from, bytes, offset); }

int ftruncate(int fd, off_t size) noexcept {
  return static_cast<int>(
      write_to(fd, static_cast<std::uint64_t>(size), 0, [&](auto) { return ::syscall(SYS_ftruncate, fd, size); }));
}
int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

int rename(const char* from, const char* to) noexcept {
  const int done = static_cast<int>(::syscall(SYS_rename, from, to));
  if (Disk* disk = done == 0 ? disk_of_caller() : nullptr) disk->unsynced().moved(from, to);
  return done;
}
int unlink(const char* path) noexcept {
  if (Disk* disk = disk_of_caller()) disk->unsynced().forget(path);
  return static_cast<int>(::syscall(SYS_unlink, path));
}

}  // extern "C"
