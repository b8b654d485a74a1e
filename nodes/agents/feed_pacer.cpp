#include <legion/agents/feed_pacer.hpp>

#include <algorithm>
#include <cmath>

namespace legion {
namespace {

/// A year: longer waits make no sense and would not fit.
Duration as_duration(double seconds) { return Duration{std::llround(std::clamp(seconds, 0.0, 31'536'000.0) * 1e9)}; }

}  // namespace

SteadyTime FeedPacer::due(SteadyTime now, std::optional<double> seconds) {
  if (pacing_.kind == FeedPacing::Kind::Max) return now;
  if (!base_) base_ = now;
  const SteadyTime due = *base_ + offset_of_next(seconds);
  if (now - due <= lag_max) return due;
  base_ = now;
  rows_ = 1;
  recorded_ = 0;
  return now;
}

Duration FeedPacer::offset_of_next(std::optional<double> seconds) {
  if (pacing_.kind == FeedPacing::Kind::Rate) return as_duration(static_cast<double>(rows_++) / pacing_.rate);
  if (seconds) {
    if (last_seconds_) recorded_ += std::max(0.0, *seconds - *last_seconds_);
    last_seconds_ = seconds;
  }
  return as_duration(recorded_ / pacing_.factor);
}

}  // namespace legion
