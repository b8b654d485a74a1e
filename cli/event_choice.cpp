#include <legion/cli/event_choice.hpp>

#include <algorithm>

namespace legion::cli {
namespace {

constexpr std::string_view heartbeat_type = "agent.heartbeat";

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return patterns.empty() ||
         std::ranges::any_of(patterns, [&](const std::string& pattern) { return glob_matches(pattern, text); });
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  if (!pattern.ends_with('*')) return pattern == text;
  pattern.remove_suffix(1);
  return text.starts_with(pattern);
}

bool EventChoice::shows(const EventView& event) const {
  const auto matches = [&](const Filter& filter) { return filter.matches(event.type); };
  if (!types.empty() && std::ranges::none_of(types, matches)) return false;
  if (std::ranges::any_of(excluded, matches)) return false;
  if (event.type == heartbeat_type && !heartbeats) {
    const bool asked = std::ranges::any_of(types, [](const Filter& filter) { return filter.text() == heartbeat_type; });
    if (!asked) return false;
  }
  if (!any_matches(sources, event.source) || !any_matches(keys, event.key)) return false;
  if (!std::ranges::all_of(where, [&](const Where& one) { return one.matches(event); })) return false;
  return correlations.empty() || any_matches(correlations, event.correlation());
}

}  // namespace legion::cli
