#pragma once

#include <cstdint>
#include <optional>

#include <legion/base/time.hpp>

namespace legion {

struct FeedPacing {
  enum class Kind : std::uint8_t {
    Recorded,  ///< with the gaps of the rows' own times, divided by `factor`
    Rate,      ///< `rate` rows a second
    Max,       ///< each at once
  };
  Kind kind = Kind::Recorded;
  double factor = 1.0;
  double rate = 0.0;
};

/// When each row is due. Waiting too long for one row shortens the next wait, so nothing drifts; but who is more than
/// `lag_max` behind (the mesh took no more) starts anew instead of sending a burst.
class FeedPacer {
 public:
  static constexpr Duration lag_max = 1s;

  explicit FeedPacer(FeedPacing pacing) : pacing_(pacing) {}

  /// To be called once for each row. `seconds`: its recorded time, which only Recorded looks at; a row without one, or
  /// with one before its predecessor's, is due with its predecessor.
  SteadyTime due(SteadyTime now, std::optional<double> seconds);

 private:
  Duration offset_of_next(std::optional<double> seconds);

  FeedPacing pacing_;
  std::optional<SteadyTime> base_;
  std::uint64_t rows_ = 0;  // since base_
  double recorded_ = 0;  // seconds of recording since base_
  std::optional<double> last_seconds_;
};

}  // namespace legion
