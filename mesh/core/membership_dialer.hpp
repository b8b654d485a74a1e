// When to dial which control address again.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/base/time.hpp>

namespace legion {

/// Keeps one back-off per address: the first dial at once, then after a jittered delay that doubles from `delay_min` to
/// redial_max. An address that answered and is still wanted is dialled again after redial_max.
///
/// Thread: owned by one thread. Cost: a call is O(log wanted), take_due() O(due). Bounds: addresses no longer wanted
/// are dropped, so there are never more than the caller wants plus those under way. At most one dial per address is
/// under way.
class MembershipDialer {
 public:
  static constexpr Duration delay_min = std::chrono::milliseconds(100);
  enum class Outcome : std::uint8_t { Answered, Failed };

  explicit MembershipDialer(Duration redial_max) : redial_max_(redial_max) {}
  MembershipDialer(const MembershipDialer&) = delete;
  MembershipDialer& operator=(const MembershipDialer&) = delete;

  /// From now on, at once, until drop().
  void want(Now now, const std::string& address);
  void drop(const std::string& address);
  /// The wanted addresses to dial now, in their order; they are under way from here on.
  std::vector<std::string> take_due(Now now);
  void on_done(Now now, const std::string& address, Outcome outcome, Rng& rng);
  /// There is a new reason to dial it: no waiting, no earlier back-off. Of an address not wanted it means nothing.
  void hurry(Now now, const std::string& address);

 private:
  struct Dial {
    SteadyTime due;
    Duration delay{};
    bool wanted = false;
    bool under_way = false;
    bool again_at_once = false;  // hurried while under way
  };
  using Dials = std::unordered_map<std::string, Dial>;

  void move_to(Dials::value_type& dial, SteadyTime due);

  Duration redial_max_;
  Dials dials_;
  std::set<std::pair<SteadyTime, std::string_view>> waiting_;  // wanted, not under way; the names are those of dials_
};

}  // namespace legion
