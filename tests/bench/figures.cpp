#include "figures.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>

namespace legion::bench {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Line rounded(double value, int decimals) {
  if (decimals == 0) return std::llround(value);
  const double factor = std::pow(10.0, decimals);
  return std::round(value * factor) / factor;
}

Line make_line(const char* bench, double value, const char* unit, const char* baseline, double baseline_value,
               int decimals) {
  Line line;
  line["bench"] = bench;
  line["value"] = rounded(value, decimals);
  line["unit"] = unit;
  line["baseline"] = baseline;
  line["baseline_value"] = rounded(baseline_value, decimals);
  line["ratio"] = baseline_value > 0 ? rounded(value / baseline_value, 3) : Line();
  line["runs"] = runs;
  return line;
}

void print(const Line& line) { std::cout << line.dump() << std::endl; }

}  // namespace legion::bench
