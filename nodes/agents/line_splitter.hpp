#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace legion {

/// One line of a byte stream, without its newline (and without a carriage return before it).
struct StreamLine {
  enum class Kind : std::uint8_t {
    Whole,
    TooLong,  ///< over the bound: `text` is empty, the rest of the line is discarded
  };
  std::uint64_t number = 0;  ///< from 1
  Kind kind = Kind::Whole;
  std::string_view text;     ///< valid during the call only
};

/// Cuts a byte stream into lines.
///
/// Bounds: holds at most `line_bytes_max` bytes, whatever comes in; a longer line is reported once, as soon as it is
/// known to be too long, and discarded up to its newline.
class LineSplitter {
 public:
  using Sink = std::function<void(const StreamLine&)>;

  explicit LineSplitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  void push(std::string_view bytes, const Sink& sink);
  /// The stream is over: what came after the last newline is the last line.
  void finish(const Sink& sink);

  std::size_t held_bytes() const { return partial_.size(); }

 private:
  void emit(std::string_view text, const Sink& sink);

  std::size_t line_bytes_max_;
  std::uint64_t number_ = 1;
  std::string partial_;
  bool discarding_ = false;
};

}  // namespace legion
