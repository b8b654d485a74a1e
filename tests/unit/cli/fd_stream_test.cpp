#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <istream>
#include <ostream>
#include <string>

#include <legion/cli/fd_stream.hpp>

namespace legion::cli {
namespace {

class FdStream : public testing::Test {
 protected:
  FdStream() {
    signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(pipe(pipe_.data()), 0);
    stop_ = eventfd(0, 0);
  }
  ~FdStream() override {
    for (const int fd : {pipe_[0], pipe_[1], stop_}) {
      if (fd >= 0) close(fd);
    }
  }
  std::array<int, 2> pipe_{-1, -1};
  int stop_ = -1;
};

TEST_F(FdStream, WritesOnFlush) {
  FdOutput buffer(pipe_[1]);
  std::ostream out(&buffer);
  out << "hello" << std::flush;
  std::array<char, 16> got{};
  ASSERT_EQ(read(pipe_[0], got.data(), got.size()), 5);
  EXPECT_EQ(std::string(got.data()), "hello");
}

TEST_F(FdStream, AClosedReaderFailsTheStreamAndIsRemembered) {
  close(std::exchange(pipe_[0], -1));
  FdOutput buffer(pipe_[1]);
  std::ostream out(&buffer);
  out << "hello" << std::flush;
  EXPECT_FALSE(out);
  EXPECT_EQ(buffer.error(), EPIPE);
}

TEST_F(FdStream, TellsWhetherReadingWouldWait) {
  FdInput buffer(pipe_[0], stop_);
  std::istream in(&buffer);
  EXPECT_EQ(buffer.in_avail(), 0);
  ASSERT_EQ(write(pipe_[1], "ab\n", 3), 3);
  EXPECT_GT(buffer.in_avail(), 0);
  std::string line;
  EXPECT_TRUE(std::getline(in, line));
  EXPECT_EQ(line, "ab");
}

TEST_F(FdStream, InputThatCannotBeReadIsAnErrorAndNoEnd) {
  const int folder = open("/", O_RDONLY | O_DIRECTORY);
  FdInput buffer(folder, stop_);
  EXPECT_THROW(buffer.sbumpc(), std::ios_base::failure);
  close(folder);
}

TEST_F(FdStream, AnInterruptEndsTheInput) {
  FdInput buffer(pipe_[0], stop_);
  std::istream in(&buffer);
  const std::uint64_t one = 1;
  ASSERT_EQ(write(stop_, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  std::string line;
  EXPECT_FALSE(std::getline(in, line));
}

}  // namespace
}  // namespace legion::cli
