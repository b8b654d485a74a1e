// Decides from silence alone who is alive, suspect or dead.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/core/messages.hpp>

namespace legion {

/// alive -> suspect -> dead, one step per tick, and back to alive with the next sign of life; `left` is final.
///
/// A local pause (no tick for more than two heartbeat intervals: a stopped process, a suspended machine) proves nothing
/// about others. After one nobody is suspected or declared dead before one whole interval of listening.
///
/// Cost: on_heard() is O(1), and so is on_tick() until somebody may be due: with heartbeats on time about once in
/// suspect_after. Thread: owned by one thread; reads no clock. Source: docs/protocol.md, "Liveness".
class FailureDetector {
 public:
  struct Config {
    Duration heartbeat_interval = 1s;
    Duration suspect_after = 3s;
    Duration dead_after = 10s;
    Duration forget_after = std::chrono::hours(24 * 7);
  };
  struct Transition {
    std::string name;
    MemberState from = MemberState::Alive;
    MemberState to = MemberState::Alive;
    friend bool operator==(const Transition&, const Transition&) = default;
  };
  struct Tick {
    std::vector<Transition> transitions;  ///< in name order
    std::vector<std::string> forgotten;   ///< no longer followed: dead or left for forget_after; in name order
  };

  explicit FailureDetector(Config config) : config_(config) {}

  /// Follows `name`, which others call alive: its silence counts from now on. Replaces what was known of the name.
  void expect(Now now, const std::string& name);
  /// Follows `name`, which is not alive as far as anybody knows. Replaces what was known of the name.
  void assume_dead(Now now, const std::string& name);
  /// It said goodbye. Nothing but expect() or assume_dead(), for a new life, changes that.
  void mark_left(Now now, const std::string& name);

  /// A sign of life. Answers the way back to alive, if it was one. Names not followed and those that left are ignored.
  std::optional<Transition> on_heard(Now now, const std::string& name);
  Tick on_tick(Now now);

  std::optional<MemberState> state(const std::string& name) const;
  /// How long ago it was heard; nothing if it never was.
  std::optional<Duration> silence(Now now, const std::string& name) const;

 private:
  struct Followed {
    MemberState state = MemberState::Alive;
    SteadyTime since;  // the last sign of life, or when it began to be followed
    bool heard = false;
  };

  bool is_deaf(Now now);
  SteadyTime due(const Followed& followed) const;
  void follow(Followed& followed, Followed next);

  Config config_;
  std::unordered_map<std::string, Followed> followed_;
  SteadyTime look_at_;  // nobody is due before this
  std::optional<SteadyTime> last_tick_;
  std::optional<SteadyTime> listening_since_;  // set after a local pause, until one interval has passed
};

}  // namespace legion
