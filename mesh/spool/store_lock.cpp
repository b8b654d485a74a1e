#include <legion/spool/store_lock.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace legion::spool {
namespace {

constexpr mode_t private_mode = 0600;

std::unexpected<Error> io(const std::string& what, const std::string& path) {
  return fail(ErrorCode::Io, what + " " + path + ": " + std::strerror(errno));
}

}  // namespace

Result<StoreLock> StoreLock::acquire(const std::string& path) {
  const std::string name = path + ".lock";
  const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, private_mode);
  if (fd < 0) return io("cannot open", name);
  StoreLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return io("cannot lock", name);
  return fail(ErrorCode::Refused, "the store " + path + " is in use by another process (it holds " + name + ")");
}

StoreLock::~StoreLock() {
  if (fd_ >= 0) close(fd_);
}

Result<void> make_private_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, private_mode);
  if (fd < 0) return errno == EEXIST ? Result<void>{} : io("cannot make", path);
  close(fd);
  return {};
}

}  // namespace legion::spool
