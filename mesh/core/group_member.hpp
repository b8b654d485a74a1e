// A member of a group: says what it holds, and learns what it is to do. docs/protocol.md, "Groups".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/core/group_types.hpp>

namespace legion {

/// To be sent to the home; exactly one on_answer() for it.
struct SendRenewal {
  GroupRenewal renewal;
};
/// For DurableSubscriptions::on_lease() and its neighbours.
struct LeaseGiven {
  ShareLease lease;
};
struct LeaseRevoked {
  std::uint32_t share = 0;
};
struct LeaseLost {
  std::uint32_t share = 0;
};
using GroupMemberEffect = std::variant<SendRenewal, LeaseGiven, LeaseRevoked, LeaseLost>;

/// While the home does not answer everything stays as it is: it keeps what it holds and gets nothing.
///
/// Thread: none of its own. Order: one renewal at a time; effects are carried out in order. Bounds: the shares of the
/// group. Errors: a refusal by the home takes everything away, because it means something else by the group; why is in
/// trouble().
class GroupMember {
 public:
  struct Config {
    std::string group;
    std::string agent;  ///< without its node
    Origin self;
    BootId boot;
    std::string home;
    std::string type;
    std::uint32_t shares = 1;
    Duration renewal_every = group_renewal_every;
  };
  explicit GroupMember(Config config) : config_(std::move(config)) {}

  void on_tick(Now now);
  /// Whoever answered, or nobody did: then an error that is not Refused.
  void on_answer(std::uint64_t round, const Result<GroupAnswer>& answer);
  /// Of a share that was revoked, or one whose cursor has an epoch that is not lower: `seen` of it, else 0.
  void on_released(Now now, ShareLease lease, std::uint64_t seen);
  /// Away: gives everything back and wants nothing, until it is present again.
  enum class Presence : std::uint8_t { Present, Away };
  void on_presence(Now now, Presence presence);
  /// Gives everything back, and wants nothing more.
  void leave(Now now);
  /// Drops everything, tells its home so and nothing else until go_on(): it is not the group's home. `why` is in
  /// trouble(). Again and again, as long as that is so.
  void stand_back(Now now, std::string why);
  void go_on() { standing_ = Standing::In; }
  std::vector<GroupMemberEffect> take_effects() { return std::exchange(effects_, {}); }

  bool is_away() const { return wish_ == GroupRenewal::Wish::Away; }
  bool holds_nothing() const { return held_.empty(); }
  std::vector<ShareLease> held() const;
  const Config& config() const { return config_; }
  /// Why it gets no shares; empty: the home has answered.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Held {
    std::uint64_t epoch = 0;
    enum class Stage : std::uint8_t { Working, Revoked } stage = Stage::Working;
  };
  void renew(Now now);
  void take(const GroupAnswer& answer);
  void lose(std::uint32_t share);

  const Config config_;
  std::map<std::uint32_t, Held> held_;
  std::map<std::uint32_t, std::uint64_t> seen_;
  std::vector<ShareLease> told_;  // in the renewal under way
  std::uint64_t round_ = 0;
  enum class Renewal : std::uint8_t { Idle, UnderWay } renewal_ = Renewal::Idle;
  SteadyTime due_{};
  enum class Standing : std::uint8_t { In, Back } standing_ = Standing::In;
  GroupRenewal::Wish wish_ = GroupRenewal::Wish::Share;
  std::string trouble_ = "has not heard from the home yet";
  std::vector<GroupMemberEffect> effects_;
};

}  // namespace legion
