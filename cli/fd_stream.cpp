#include <legion/cli/fd_stream.hpp>

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <ios>
#include <system_error>

namespace legion::cli {
namespace {

constexpr std::size_t output_bytes = 256 * 1024;

[[noreturn]] void fail_reading() {
  throw std::ios_base::failure("reading failed", std::error_code(errno, std::system_category()));
}

}  // namespace

FdOutput::FdOutput(int fd) : fd_(fd), buffer_(output_bytes) { setp(buffer_.data(), buffer_.data() + buffer_.size()); }

FdOutput::~FdOutput() { write_out(); }

bool FdOutput::write_out() {
  const char* at = pbase();
  while (error_ == 0 && at != pptr()) {
    const ssize_t written = write(fd_, at, static_cast<std::size_t>(pptr() - at));
    if (written >= 0) {
      at += written;
    } else if (errno == EAGAIN) {
      pollfd item{fd_, POLLOUT, 0};  // somebody made our descriptor non-blocking
      poll(&item, 1, -1);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  setp(buffer_.data(), buffer_.data() + buffer_.size());
  return error_ == 0;
}

FdOutput::int_type FdOutput::overflow(int_type character) {
  if (!write_out()) return traits_type::eof();
  if (!traits_type::eq_int_type(character, traits_type::eof())) sputc(traits_type::to_char_type(character));
  return traits_type::not_eof(character);
}

int FdOutput::sync() { return write_out() ? 0 : -1; }

FdInput::int_type FdInput::underflow() {
  for (;;) {
    pollfd items[2] = {{fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    if (poll(items, 2, -1) < 0 && errno != EINTR) fail_reading();
    if ((items[1].revents & POLLIN) != 0) return traits_type::eof();
    if (items[0].revents == 0) continue;
    const ssize_t got = read(fd_, buffer_.data(), buffer_.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) fail_reading();
    if (got == 0) return traits_type::eof();
    setg(buffer_.data(), buffer_.data(), buffer_.data() + got);
    return traits_type::to_int_type(buffer_.front());
  }
}

std::streamsize FdInput::showmanyc() {
  pollfd item{fd_, POLLIN, 0};
  return poll(&item, 1, 0) > 0 && (item.revents & POLLIN) != 0 ? 1 : 0;
}

}  // namespace legion::cli
