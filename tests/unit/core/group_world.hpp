// Members and a home that lose messages, pause, die and restart, on simulated time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/group_home.hpp>
#include <legion/core/group_member.hpp>

namespace legion::test {

/// One group. What is broken is thrown as std::logic_error that names the moment.
class GroupWorld {
 public:
  explicit GroupWorld(std::uint64_t seed);

  /// A few milliseconds, with whatever goes wrong in them.
  void step();
  /// Everything is mended; afterwards every share has a holder, everybody has as many, and nothing moves any more.
  void finish();

  struct Tally {
    std::uint64_t leases = 0, releases = 0, losses = 0, deaths = 0, pauses = 0, restarts = 0, exceeded = 0, absences = 0;
  };
  const Tally& tally() const { return tally_; }

 private:
  struct Work {
    std::uint64_t epoch = 0;
    bool is_revoked = false;
    SteadyTime due{};  // of a release
  };
  struct Node {
    std::string name;
    std::optional<GroupMember> member;
    Incarnation incarnation = 0;
    std::map<std::uint32_t, Work> works_on;
    enum class State { Up, Paused, Down } state = State::Down;
    SteadyTime changes_at{};
    SteadyTime silent_since{};  // of Paused and Down
    bool link = true;
    SteadyTime link_changes_at{};
    GroupMember::Presence presence = GroupMember::Presence::Present;  // of its agent
    SteadyTime presence_changes_at{};
  };
  struct Message {
    SteadyTime at{};
    std::string node;
    Incarnation incarnation = 0;
    std::uint64_t round = 0;
    std::optional<GroupRenewal> renewal{};
    std::optional<Result<GroupAnswer>> answer{};
  };
  enum class Weather { Rough, Calm };

  void step(Weather weather);
  void disturb();
  void start(Node& node);
  void run(Node& node);
  void carry_out(Node& node);
  void take(Node& node, const ShareLease& lease);
  void deliver();
  void deliver(const Message& message);
  void restart_home();
  bool is_gone(const Origin& origin) const;
  [[noreturn]] void broken(const std::string& what) const;
  std::size_t holders_of(std::uint32_t share) const;
  void leave_one_away(const std::function<void(Duration)>& run_for);

  std::uint64_t seed_;
  Rng rng_;
  Now now_{.steady = SteadyTime{} + 1h, .wall = WallTime{1'763'000'000'000'000'000}};
  std::uint32_t shares_;
  Duration dead_after_ = 2s;
  std::vector<Node> nodes_;
  std::optional<GroupHome> home_;
  SteadyTime home_changes_at_{};
  std::multimap<SteadyTime, Message> messages_;
  std::map<std::uint32_t, std::uint64_t> cursors_;  // by share: the highest epoch ever worked under
  bool has_clock_gone_back_ = false;
  Tally tally_;
};

}  // namespace legion::test
