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

Line make_line(const Effort& effort, const Caption& caption, double value, double baseline_value) {
  Line line;
  line["bench"] = caption.bench;
  line["variant"] = caption.variant;
  line["value"] = rounded(value, caption.decimals);
  line["unit"] = caption.unit;
  line["baseline"] = caption.baseline;
  line["baseline_value"] = rounded(baseline_value, caption.decimals);
  line["ratio"] = baseline_value > 0 ? rounded(value / baseline_value, 3) : Line();
  line["runs"] = effort.runs;
  if (effort.divisor > 1) line["quick"] = true;
  return line;
}

Line percent_change(double value, double before) {
  return before > 0 ? rounded(100 * (value - before) / before, 1) : Line();
}

void print(const Line& line) { std::cout << line.dump() << std::endl; }

}  // namespace legion::bench
