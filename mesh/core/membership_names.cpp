// The own name seen with another boot id: refusing newcomers, giving way, taking over.
#include <algorithm>
#include <tuple>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

constexpr int exit_name_taken = 69;

}  // namespace

/// A hello with this node's name and another boot id. A running node refuses newcomers and gives way to a higher life.
/// Of two newcomers the higher boot id goes first, so that exactly one starts.
bool Membership::State::answers_taken(const Member& asker) const {
  switch (phase) {
    case Phase::Idle:
    case Phase::Fenced:
    case Phase::GaveUp:
    case Phase::Left: return false;
    case Phase::Joining: return asker.incarnation == 0 && self.boot > asker.boot;
    case Phase::Running:
      return std::tie(asker.incarnation, asker.boot) < std::tie(incarnation, self.boot);
  }
  LEGION_UNREACHABLE();
}

void Membership::State::own_name_seen(Now now, const Member& told, Source source) {
  highest_own = std::max(highest_own, told.incarnation);
  if (told.boot == self.boot) {
    if (told.state == MemberState::Left && phase == Phase::Running && !std::exchange(left_reported, true)) {
      log(effect::LogLine::Level::Error, "others believe that this node has left; restart it");
    }
    return;
  }
  if (phase == Phase::Joining) own_name_seen_while_joining(told, source);
  if (phase == Phase::Running) own_name_seen_while_running(now, told, source);
}

/// Others may be wrong about the former life; only an answer at its own address counts.
void Membership::State::own_name_seen_while_joining(const Member& told, Source source) {
  const bool believed_alive = told.state == MemberState::Alive || told.state == MemberState::Suspect;
  const bool newcomer = told.incarnation == 0;
  if (!believed_alive || newcomer || is_own_address(told.endpoints.control)) return;
  if (source == Source::Told && !rivals_asked.insert(told.boot).second) return;
  rivals.try_emplace(told.endpoints.control);
  changed();
}

void Membership::State::own_name_seen_while_running(Now now, const Member& told, Source source) {
  if (told.incarnation == 0) return;
  if (std::tie(incarnation, self.boot) < std::tie(told.incarnation, told.boot)) {
    fence(now, told);
    return;
  }
  // Mostly a former life of this very node. Asking is how the winner finds a loser that is still there, and tells it.
  const bool believed_alive = told.state == MemberState::Alive || told.state == MemberState::Suspect;
  if (!believed_alive || is_own_address(told.endpoints.control)) return;
  if (source == Source::Told) {
    if (rivals_asked.insert(told.boot).second) {
      questions.insert(told.endpoints.control);
      to_review.push_back(told.endpoints.control);
    }
    changed();
    return;
  }
  if (!rivals_reported.insert(told.boot).second) return;
  log(effect::LogLine::Level::Error, "another live process has the name " + self.name + " at " +
                                         told.endpoints.control + "; its incarnation is lower, it has to stop");
}

void Membership::State::on_rival_answer(Now now, const std::string& address, const HelloReply& reply) {
  note_answer(address, reply.self.incarnation == 0 ? Answer::Newcomer : Answer::Member);
  switch (phase) {
    case Phase::Joining:
      if (reply.name_taken) {
        Rival& rival = rivals[address];
        if (!rival.taken_since) {
          rival.taken_since = now.steady;
          log(effect::LogLine::Level::Warning,
              "the name " + self.name + " is in use by the process at " + address + "; waiting for it to end");
        }
      } else {
        forget_rival(address);
      }
      return;
    case Phase::Running:
      own_name_seen(now, reply.self, Source::Hello);
      return;
    case Phase::Idle:
    case Phase::Fenced:
    case Phase::GaveUp:
    case Phase::Left: return;
  }
}

void Membership::State::give_up_when_overdue(Now now) {
  for (const auto& [address, rival] : rivals) {
    if (!rival.taken_since || now.steady - *rival.taken_since < 2 * config.dead_after) continue;
    phase = Phase::GaveUp;
    effects.push_back(effect::GiveUp{
        exit_name_taken, "the name " + self.name + " is in use by the process at " + address + ", which still answers"});
    return;
  }
}

/// `higher` is kept in this node's place, so that the next start takes an incarnation above it.
void Membership::State::fence(Now now, const Member& higher) {
  winner = higher;
  phase = Phase::Fenced;
  saved_at = now.steady;
  effects.push_back(effect::PersistRoster{});
  const bool believed_alive = higher.state == MemberState::Alive || higher.state == MemberState::Suspect;
  const std::string whose = std::to_string(higher.incarnation) + " at " + higher.endpoints.control;
  effects.push_back(effect::Fence{
      believed_alive ? "another live process has the name " + self.name + " with the higher incarnation " + whose
                     : "the mesh remembers a higher incarnation of " + self.name + ", " + whose +
                           ", and so ignores this one; a restart takes a higher one"});
}

}  // namespace legion
