#include <legion/agents/output_queue.hpp>

#include <unistd.h>

#include <cerrno>

namespace legion {

void OutputQueue::push(std::string line, std::uint64_t delivery) {
  bytes_ += line.size();
  lines_.push_back({std::move(line), delivery});
}

OutputQueue::Write OutputQueue::write_to(int fd) {
  constexpr std::size_t turn_bytes = 256 * 1024;
  std::size_t done = 0;
  while (!lines_.empty() && done < turn_bytes) {
    const std::string& text = lines_.front().text;
    const ssize_t count = ::write(fd, text.data() + written_, text.size() - written_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Write::Ok : Write::Broken;
    const auto bytes = static_cast<std::size_t>(count);
    done += bytes;
    bytes_ -= bytes;
    written_ += bytes;
    if (written_ == text.size()) {
      lines_.pop_front();
      written_ = 0;
    }
  }
  return Write::Ok;
}

std::vector<std::uint64_t> OutputQueue::discard() {
  std::vector<std::uint64_t> unwritten;
  for (const Line& line : lines_) {
    if (line.delivery != 0) unwritten.push_back(line.delivery);
  }
  lines_.clear();
  written_ = 0;
  bytes_ = 0;
  return unwritten;
}

}  // namespace legion
