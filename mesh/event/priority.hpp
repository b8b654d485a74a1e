#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include <legion/base/limits.hpp>

namespace legion {

/// The priority of an event, the lane it travels on, and (for subscriptions) the tier of a handler.
enum class Priority : std::uint8_t { Critical = 0, High = 1, Normal = 2, Low = 3 };

inline constexpr std::array<Priority, limits::lane_count> all_priorities{Priority::Critical, Priority::High,
                                                                         Priority::Normal, Priority::Low};

inline constexpr std::size_t lane_index(Priority priority) { return static_cast<std::size_t>(priority); }

/// "critical", "high", "normal", "low"
std::string_view to_string(Priority priority);
/// Accepts the names in any case; nullopt otherwise.
std::optional<Priority> parse_priority(std::string_view text);

}  // namespace legion
