#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace legion {

/// Lines on their way into a pipe that does not block.
class OutputQueue {
 public:
  enum class Write : std::uint8_t { Ok, Broken };  ///< Broken: nobody reads the pipe any more

  /// `delivery`: the number of the event in the line, 0 for an answer.
  void push(std::string line, std::uint64_t delivery);
  /// Writes until the pipe is full, the queue is empty or 256 KiB are written.
  Write write_to(int fd);

  bool empty() const { return lines_.empty(); }
  std::size_t bytes() const { return bytes_; }
  /// Empties the queue; the deliveries whose lines had not been written to the end.
  std::vector<std::uint64_t> discard();

 private:
  struct Line {
    std::string text;
    std::uint64_t delivery;
  };
  std::deque<Line> lines_;
  std::size_t written_ = 0;  // of the first line
  std::size_t bytes_ = 0;    // not yet written
};

}  // namespace legion
