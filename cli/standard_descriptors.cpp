#include <legion/cli/standard_descriptors.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace legion::cli {

bool occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // Not for writing on standard output: a result that nobody gets is a failure, not a success.
    if (open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd) return false;
  }
  return true;
}

}  // namespace legion::cli
