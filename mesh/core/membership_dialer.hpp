// When to dial which control address again.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/base/time.hpp>

namespace legion {

/// Keeps one back-off per address: the first dial at once, then after a jittered delay that doubles from `delay_min` to
/// redial_max. An address that answered and is still wanted is dialled again after redial_max.
///
/// Thread: owned by one thread. Bounds: addresses no longer wanted are dropped, so there are never more than
/// the caller wants plus those under way. At most one dial per address is under way.
class MembershipDialer {
 public:
  static constexpr Duration delay_min = std::chrono::milliseconds(100);
  enum class Outcome : std::uint8_t { Answered, Failed };

  explicit MembershipDialer(Duration redial_max) : redial_max_(redial_max) {}

  /// The addresses among `wanted` to dial now; they are under way from here on.
  std::vector<std::string> take_due(Now now, const std::set<std::string>& wanted);
  void on_done(Now now, const std::string& address, Outcome outcome, Rng& rng);
  /// There is a new reason to dial it: no waiting, no earlier back-off.
  void hurry(Now now, const std::string& address);

 private:
  struct Dial {
    SteadyTime due;
    Duration delay{};
    bool under_way = false;
    bool again_at_once = false;  // hurried while under way
  };

  Duration redial_max_;
  std::map<std::string, Dial> dials_;
};

}  // namespace legion
