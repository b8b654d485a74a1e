#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include <legion/cli/standard_descriptors.hpp>

namespace legion::cli {
namespace {

/// What the program finds, in a process of its own; 0: as it should be.
int started_without_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) close(fd);
  if (!occupy_standard_descriptors()) return 1;
  if (open("/dev/null", O_RDONLY) <= STDERR_FILENO) return 2;
  char byte = 'x';
  if (read(STDIN_FILENO, &byte, 1) != 0) return 3;
  if (write(STDOUT_FILENO, &byte, 1) >= 0 || errno != EBADF) return 4;
  if (write(STDERR_FILENO, &byte, 1) != 1) return 5;
  return 0;
}

/// A descriptor that is open stays what it is.
int started_with_a_pipe() {
  int ends[2];
  if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) return 1;
  if (!occupy_standard_descriptors()) return 2;
  char byte = 'x';
  if (write(STDOUT_FILENO, &byte, 1) != 1) return 3;
  return read(ends[0], &byte, 1) == 1 ? 0 : 4;
}

int exit_code_of_child(int (*body)()) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardDescriptors, AreOccupiedWhereTheyAreClosed) {
  EXPECT_EQ(exit_code_of_child(started_without_descriptors), 0);
}

TEST(StandardDescriptors, AreLeftAloneWhereTheyAreOpen) { EXPECT_EQ(exit_code_of_child(started_with_a_pipe), 0); }

}  // namespace
}  // namespace legion::cli
