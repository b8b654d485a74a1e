// Colours for terminals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <legion/event/priority.hpp>

namespace legion::cli {

enum class Tint : std::uint8_t { Plain, Bold, Dim, Red, BoldRed, Yellow, Green };

/// Puts text in a colour, or leaves it as it is.
class Paint {
 public:
  enum class Mode : std::uint8_t { Off, On };
  explicit Paint(Mode mode) : mode_(mode) {}
  bool on() const { return mode_ == Mode::On; }
  void append(std::string& out, Tint tint, std::string_view text) const;

 private:
  Mode mode_;
};

/// Critical red and bold, high yellow, normal plain, low dim.
Tint tint_of(Priority priority);

}  // namespace legion::cli
