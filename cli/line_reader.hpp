// Lines from a stream that somebody else writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <system_error>

namespace legion::cli {

/// Reads line by line, never holding more than one. Bounds: what a line has beyond `bytes_max` is passed over and the line
/// marked.
class LineReader {
 public:
  struct Line {
    std::uint64_t number = 0;  ///< from 1
    std::string text;          ///< without its newline and carriage return
    bool too_long = false;
  };

  LineReader(std::istream& in, std::size_t bytes_max) : in_(in), bytes_max_(bytes_max) {}

  /// Waits for a line; nullopt at the end. A last line without a newline counts, unless reading failed in it.
  std::optional<Line> next();
  /// Why there was nothing more to be had; none at the end of the stream.
  const std::error_code& error() const { return error_; }
  /// Whether more can be read without waiting.
  bool ready() const;

 private:
  std::istream& in_;
  std::size_t bytes_max_;
  std::uint64_t number_ = 0;
  std::error_code error_;
};

}  // namespace legion::cli
