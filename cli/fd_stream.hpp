// Standard input and output as streams over their descriptors: large writes, and reads that an interrupt ends.
#pragma once

#include <array>
#include <cstddef>
#include <streambuf>
#include <vector>

namespace legion::cli {

/// Errors: the first failed write is kept in error() and everything after it fails. Bounds: one buffer.
class FdOutput : public std::streambuf {
 public:
  explicit FdOutput(int fd);
  ~FdOutput() override;
  FdOutput(const FdOutput&) = delete;
  FdOutput& operator=(const FdOutput&) = delete;
  int error() const { return error_; }  ///< an errno; 0: none

 protected:
  int_type overflow(int_type character) override;
  int sync() override;

 private:
  bool write_out();
  int fd_;
  int error_ = 0;
  std::vector<char> buffer_;
};

/// Ends like a file does as soon as `stop_fd` becomes readable. Errors: what cannot be read throws std::ios_base::failure,
/// as a std::filebuf does.
class FdInput : public std::streambuf {
 public:
  FdInput(int fd, int stop_fd) : fd_(fd), stop_fd_(stop_fd), buffer_(64 * 1024) {}

 protected:
  int_type underflow() override;
  std::streamsize showmanyc() override;

 private:
  int fd_;
  int stop_fd_;
  std::vector<char> buffer_;
};

}  // namespace legion::cli
