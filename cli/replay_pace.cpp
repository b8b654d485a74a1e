#include <legion/cli/replay_pace.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace legion::cli {
namespace {

constexpr double factor_max = 1e9;
/// Beyond it nobody waits, and the sum still fits.
constexpr double wait_ns_max = 4e18;

Duration as_duration(double ns) { return Duration(static_cast<std::int64_t>(std::clamp(ns, 0.0, wait_ns_max))); }

}  // namespace

Result<std::optional<double>> parse_speed(const std::string& text) {
  if (text == "max") return std::optional<double>{};
  if (text == "original") return std::optional<double>{1.0};
  double factor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), factor);
  const bool whole = error == std::errc{} && end + 1 == text.data() + text.size() && *end == 'x';
  if (!whole || !std::isfinite(factor) || factor <= 0 || factor > factor_max) {
    return fail(ErrorCode::InvalidArgument, "--speed: '" + text + "' is none of original, max and factors such as 2x or 0.5x");
  }
  return std::optional<double>{factor};
}

SteadyTime ReplayPace::due(WallTime event_time, SteadyTime now) {
  if (!begin_) {
    begin_ = latest_ = now;
    first_ = event_time;
  }
  const std::uint64_t before = events_++;
  if (per_second_) return *begin_ + as_duration(static_cast<double>(before) * 1e9 / static_cast<double>(*per_second_));
  if (!factor_) return now;
  const double since_first = static_cast<double>(event_time.ns) - static_cast<double>(first_.ns);
  latest_ = std::max(latest_, *begin_ + as_duration(since_first / *factor_));
  return latest_;
}

}  // namespace legion::cli
