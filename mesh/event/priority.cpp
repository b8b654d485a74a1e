#include <legion/event/priority.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>

namespace legion {

std::string_view to_string(Priority priority) {
  switch (priority) {
    case Priority::Critical: return "critical";
    case Priority::High: return "high";
    case Priority::Normal: return "normal";
    case Priority::Low: return "low";
  }
  LEGION_UNREACHABLE();
}

std::optional<Priority> parse_priority(std::string_view text) {
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b; };
  for (const Priority priority : all_priorities) {
    if (std::ranges::equal(text, to_string(priority), same)) return priority;
  }
  return std::nullopt;
}

}  // namespace legion
