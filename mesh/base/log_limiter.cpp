#include <legion/base/log_limiter.hpp>

#include <utility>

namespace legion {

bool LogLimiter::allow(SteadyTime now) {
  if (!began_ || now - *began_ >= window_) {
    began_ = now;
    used_ = 0;
  }
  if (used_ < lines_) {
    ++used_;
    return true;
  }
  ++suppressed_;
  return false;
}

std::optional<std::uint64_t> LogLimiter::take_suppressed(SteadyTime now) {
  if (suppressed_ == 0 || now - *began_ < window_) return std::nullopt;
  return take_suppressed();
}

std::optional<std::uint64_t> LogLimiter::take_suppressed() {
  if (suppressed_ == 0) return std::nullopt;
  return std::exchange(suppressed_, 0);
}

std::optional<SteadyTime> LogLimiter::deadline() const {
  if (suppressed_ == 0) return std::nullopt;
  return *began_ + window_;
}

}  // namespace legion
