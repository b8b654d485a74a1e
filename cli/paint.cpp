#include <legion/base/assert.hpp>
#include <legion/cli/paint.hpp>

namespace legion::cli {
namespace {

std::string_view start_of(Tint tint) {
  switch (tint) {
    case Tint::Plain: return "";
    case Tint::Bold: return "\033[1m";
    case Tint::Dim: return "\033[2m";
    case Tint::Red: return "\033[31m";
    case Tint::BoldRed: return "\033[1;31m";
    case Tint::Yellow: return "\033[33m";
    case Tint::Green: return "\033[32m";
  }
  LEGION_UNREACHABLE();
}

}  // namespace

void Paint::append(std::string& out, Tint tint, std::string_view text) const {
  if (mode_ == Mode::Off || tint == Tint::Plain) {
    out += text;
    return;
  }
  out += start_of(tint);
  out += text;
  out += "\033[0m";
}

Tint tint_of(Priority priority) {
  switch (priority) {
    case Priority::Critical: return Tint::BoldRed;
    case Priority::High: return Tint::Yellow;
    case Priority::Normal: return Tint::Plain;
    case Priority::Low: return Tint::Dim;
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion::cli
