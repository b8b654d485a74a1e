#include <legion/transport/directory_lock.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <legion/transport/socket.hpp>

namespace legion::transport {
namespace {

constexpr mode_t owner_only = 0700;

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::unexpected<Error> io_error(const std::string& what) {
  return fail(ErrorCode::Io, error_from_errno(errno, what).message);
}

}  // namespace

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory) {
  if (mkdir(directory.c_str(), owner_only) != 0 && errno != EEXIST) return io_error("cannot make " + directory);
  const OpenFile opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (opened.fd() < 0) return io_error("cannot open the directory " + directory);

  struct stat status{};
  if (fstat(opened.fd(), &status) != 0) return io_error("cannot examine " + directory);
  if (status.st_uid != geteuid()) return fail(ErrorCode::Refused, directory + " belongs to another user");
  if ((status.st_mode & 0777) != owner_only && fchmod(opened.fd(), owner_only) != 0) {
    return io_error("cannot make " + directory + " private");
  }

  OpenFile lock(openat(opened.fd(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (lock.fd() < 0) return io_error("cannot open " + directory + "/lock");
  if (flock(lock.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("cannot lock " + directory + "/lock");
    return fail(ErrorCode::AddressInUse, "another process uses " + directory);
  }
  return DirectoryLock(lock.release());
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace legion::transport
