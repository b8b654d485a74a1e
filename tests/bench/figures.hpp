// What a benchmark prints: one JSON object a line.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

namespace legion::bench {

using Line = nlohmann::ordered_json;

inline constexpr int runs = 3;

/// 0 when there are none.
double median(std::vector<double> values);
/// A number with this many decimals, so that a line does not claim more than was measured.
Line rounded(double value, int decimals);
/// A line with what every benchmark has. `value` and `baseline_value` are medians, in the same unit.
Line make_line(const char* bench, double value, const char* unit, const char* baseline, double baseline_value,
               int decimals);
void print(const Line& line);

}  // namespace legion::bench
