// Starting, choosing the incarnation, dialling, the first-sync barrier.
#include <algorithm>
#include <utility>

#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

constexpr Duration persist_interval_min = 1s;
constexpr std::uint64_t random_mask = 0xffff;

/// max(clock, highest + 1) with random low 16 bits, and still above `highest`.
Incarnation pick_incarnation(WallTime clock, Incarnation highest, Rng& rng) {
  const Incarnation lowest = highest + 1;
  const Incarnation base = std::max(clock.ns > 0 ? static_cast<Incarnation>(clock.ns) : 0, lowest);
  Incarnation picked = (base & ~random_mask) | (rng.next() & random_mask);
  if (picked < lowest) picked += random_mask + 1;
  return picked;
}

}  // namespace

void Membership::State::start(Now now) {
  if (phase != Phase::Idle) return;
  phase = Phase::Joining;
  started_at = now.steady;
  for (const Member& kept : self.kept_roster) {
    if (kept.name == self.name) {
      highest_own = std::max(highest_own, kept.incarnation);
      continue;
    }
    learn(now, kept, Source::Kept);
    if (kept.state != MemberState::Left && !is_own_address(kept.endpoints.control)) {
      asked.emplace(kept.endpoints.control, Answer::None);
    }
  }
  for (const std::string& address : config.join) {
    if (!is_own_address(address)) asked.emplace(address, Answer::None);
  }
  unsaved = false;
  sweep(now);
}

void Membership::State::sweep(Now now) {
  swept_needed = false;
  swept_at = now.steady;
  apply(now, detector.on_tick(now));
  if (phase == Phase::Joining) {
    give_up_when_overdue(now);
    if (may_choose(now)) choose_incarnation(now);
  }
  if (phase == Phase::Running) open_when_synced(now);
  if (phase == Phase::Joining || phase == Phase::Running) dial(now);
  persist(now);
}

void Membership::State::note_answer(const std::string& address, Answer answer) {
  if (const auto found = asked.find(address); found != asked.end()) {
    // A later failure does not take back that a member was found.
    if (found->second != Answer::Member) found->second = answer;
  }
}

bool Membership::State::may_choose(Now now) const {
  if (phase != Phase::Joining || !rivals.empty()) return false;
  bool all_said = true;
  for (const auto& [address, answer] : asked) {
    switch (answer) {
      case Answer::Member: return true;
      case Answer::None:
      case Answer::Silent: all_said = false; break;
      case Answer::Newcomer:
      case Answer::Ourselves:
      case Answer::Refused: break;
    }
  }
  return all_said || now.steady - started_at >= barrier_timeout();
}

void Membership::State::choose_incarnation(Now now) {
  for (const auto& [address, answer] : asked) {
    if (answer == Answer::Silent || answer == Answer::None) {
      log(effect::LogLine::Level::Warning, "nobody answered at " + address + "; starting without, it stays dialled");
    }
  }
  incarnation = pick_incarnation(now.wall, highest_own, rng);
  highest_own = std::max(highest_own, incarnation);
  phase = Phase::Running;
  chosen_at = now.steady;
  roster_changed();
  effects.push_back(effect::IncarnationChosen{incarnation});
  for (auto& [name, entry] : members) {
    dialer.hurry(now, entry.member.endpoints.control);
    if (entry.member.state == MemberState::Alive || entry.member.state == MemberState::Suspect) connect(entry);
  }
  for (const auto& [address, answer] : asked) dialer.hurry(now, address);
  effects.push_back(effect::PublishHeartbeat{});
  next_heartbeat = now.steady + config.heartbeat_interval;
}

void Membership::State::open_when_synced(Now now) {
  if (open) return;
  std::string missing;
  for (const auto& [name, entry] : members) {
    if (entry.member.state == MemberState::Alive && !entry.synced) missing += (missing.empty() ? "" : ", ") + name;
  }
  for (const std::string& name : newcomers) {
    missing += (missing.empty() ? "" : ", ") + name;
  }
  if (!missing.empty()) {
    if (now.steady - chosen_at < barrier_timeout()) return;
    log(effect::LogLine::Level::Warning, "publishing begins although these may not hear everything yet: " + missing);
  }
  open = true;
  newcomers.clear();
  early_synced.clear();
  effects.push_back(effect::PublishingOpen{});
}

bool Membership::State::join_satisfied(const std::string& address) const {
  if (is_own_address(address)) return true;
  const auto answerer = answered_by.find(address);
  if (answerer == answered_by.end()) return false;
  const auto found = members.find(answerer->second);
  if (found == members.end() || !found->second.introduced) return false;
  return found->second.member.state == MemberState::Alive || found->second.member.state == MemberState::Suspect;
}

std::set<std::string> Membership::State::wanted_addresses() const {
  std::set<std::string> wanted;
  if (phase == Phase::Joining) {
    for (const auto& [address, answer] : asked) {
      if (answer != Answer::Member && answer != Answer::Ourselves) wanted.insert(address);
    }
    for (const auto& [address, rival] : rivals) wanted.insert(address);
    return wanted;
  }
  std::set<std::string_view> answering;  // control addresses of members that need no hello
  for (const auto& [name, entry] : members) {
    const MemberState state = entry.member.state;
    if (entry.introduced && (state == MemberState::Alive || state == MemberState::Suspect)) {
      answering.insert(entry.member.endpoints.control);
    }
  }
  for (const auto& [name, entry] : members) {
    const std::string& address = entry.member.endpoints.control;
    const MemberState state = entry.member.state;
    if (state == MemberState::Left || is_own_address(address) || answering.contains(address)) continue;
    wanted.insert(address);
  }
  for (const std::string& address : config.join) {
    if (!answering.contains(address) && !join_satisfied(address)) wanted.insert(address);
  }
  wanted.insert(questions.begin(), questions.end());
  return wanted;
}

void Membership::State::dial(Now now) {
  for (std::string& address : dialer.take_due(now, wanted_addresses())) {
    greeted_with[address] = incarnation;
    effects.push_back(effect::SendHello{std::move(address), {.self = self_member()}});
  }
}

void Membership::State::persist(Now now) {
  if (!unsaved || phase == Phase::Idle || phase == Phase::Joining) return;
  if (saved_at && now.steady - *saved_at < persist_interval_min) return;
  unsaved = false;
  saved_at = now.steady;
  effects.push_back(effect::PersistRoster{roster()});
}

}  // namespace legion
