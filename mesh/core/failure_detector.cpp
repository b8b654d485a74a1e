#include <legion/core/failure_detector.hpp>

#include <algorithm>
#include <limits>

#include <legion/base/assert.hpp>

namespace legion {
namespace {

constexpr SteadyTime never{std::numeric_limits<std::int64_t>::max()};

}  // namespace

SteadyTime FailureDetector::due(const Followed& followed) const {
  switch (followed.state) {
    case MemberState::Alive: return followed.since + config_.suspect_after;
    case MemberState::Suspect: return followed.since + config_.dead_after;
    case MemberState::Dead:
    case MemberState::Left: return followed.since + config_.forget_after;
  }
  LEGION_UNREACHABLE();
}

void FailureDetector::follow(Followed& followed, Followed next) {
  followed = next;
  look_at_ = std::min(look_at_, due(followed));
}

void FailureDetector::expect(Now now, const std::string& name) {
  follow(followed_[name], {.state = MemberState::Alive, .since = now.steady, .heard = false});
}

void FailureDetector::assume_dead(Now now, const std::string& name) {
  follow(followed_[name], {.state = MemberState::Dead, .since = now.steady, .heard = false});
}

void FailureDetector::mark_left(Now now, const std::string& name) {
  Followed& followed = followed_[name];
  follow(followed, {.state = MemberState::Left, .since = now.steady, .heard = followed.heard});
}

std::optional<FailureDetector::Transition> FailureDetector::on_heard(Now now, const std::string& name) {
  const auto found = followed_.find(name);
  if (found == followed_.end() || found->second.state == MemberState::Left) return std::nullopt;
  Followed& followed = found->second;
  const MemberState from = followed.state;
  follow(followed, {.state = MemberState::Alive, .since = now.steady, .heard = true});
  if (from == MemberState::Alive) return std::nullopt;
  return Transition{name, from, MemberState::Alive};
}

bool FailureDetector::is_deaf(Now now) {
  if (last_tick_ && now.steady - *last_tick_ > 2 * config_.heartbeat_interval) listening_since_ = now.steady;
  last_tick_ = now.steady;
  if (!listening_since_) return false;
  if (now.steady - *listening_since_ < config_.heartbeat_interval) return true;
  listening_since_.reset();
  return false;
}

FailureDetector::Tick FailureDetector::on_tick(Now now) {
  Tick tick;
  if (is_deaf(now) || now.steady < look_at_) return tick;
  look_at_ = never;
  for (auto entry = followed_.begin(); entry != followed_.end();) {
    auto& [name, followed] = *entry;
    const Duration silence = now.steady - followed.since;
    const bool gone = followed.state == MemberState::Dead || followed.state == MemberState::Left;
    if (gone && silence >= config_.forget_after) {
      tick.forgotten.push_back(name);
      entry = followed_.erase(entry);
      continue;
    }
    if (followed.state == MemberState::Alive && silence >= config_.suspect_after) {
      followed.state = MemberState::Suspect;
      tick.transitions.push_back({name, MemberState::Alive, MemberState::Suspect});
    } else if (followed.state == MemberState::Suspect && silence >= config_.dead_after) {
      followed.state = MemberState::Dead;
      tick.transitions.push_back({name, MemberState::Suspect, MemberState::Dead});
    }
    look_at_ = std::min(look_at_, due(followed));
    ++entry;
  }
  std::ranges::sort(tick.transitions, {}, &Transition::name);
  std::ranges::sort(tick.forgotten);
  return tick;
}

std::optional<MemberState> FailureDetector::state(const std::string& name) const {
  const auto found = followed_.find(name);
  if (found == followed_.end()) return std::nullopt;
  return found->second.state;
}

std::optional<Duration> FailureDetector::silence(Now now, const std::string& name) const {
  const auto found = followed_.find(name);
  if (found == followed_.end() || !found->second.heard) return std::nullopt;
  return now.steady - found->second.since;
}

}  // namespace legion
