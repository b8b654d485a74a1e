// What a benchmark prints: one JSON object a line.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace legion::bench {

using Line = nlohmann::ordered_json;

/// How long and how often a benchmark measures.
struct Effort {
  int runs = 3;
  int divisor = 1;  ///< of the length of a run; more than 1 is for trying out, and the lines say so
  std::chrono::milliseconds length(std::chrono::milliseconds whole) const { return whole / divisor; }
};
inline constexpr Effort full_effort{};
inline constexpr Effort quick_effort{.runs = 1, .divisor = 10};

/// 0 when there are none.
double median(std::vector<double> values);
/// A number with this many decimals, so that a line does not claim more than was measured.
Line rounded(double value, int decimals);
/// What a line is about. A variant is one of several shapes of the same benchmark.
struct Caption {
  std::string_view bench;
  std::string_view variant;
  std::string_view unit;
  std::string_view baseline;
  int decimals = 0;  ///< of `value` and `baseline_value`
};
/// A line with what every benchmark has. `value` and `baseline_value` are medians, in the same unit.
Line make_line(const Effort& effort, const Caption& caption, double value, double baseline_value);
/// How much more `value` is than `before`, in percent. Null when `before` is 0.
Line percent_change(double value, double before);
void print(const Line& line);

}  // namespace legion::bench
