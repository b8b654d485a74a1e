// Starting, choosing the incarnation, dialling, the first-sync barrier.
#include <algorithm>
#include <utility>

#include <legion/base/planted.hpp>
#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

// Whom a node has just met it must find again after a crash, so the first changes are kept at once; many in a row are
// kept ever more rarely.
constexpr Duration save_pause_min = 50ms;
constexpr Duration save_pause_max = 1s;
constexpr std::uint64_t random_mask = 0xffff;
// Of the kept addresses a few are asked per tick, all within 1.6 s: each answer to a newcomer carries a roster, and one
// of them is enough.
constexpr std::size_t kept_per_tick_min = 8;
constexpr std::size_t kept_ticks_max = 32;

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
  const std::size_t per_tick = std::max(kept_per_tick_min, self.kept_roster.size() / kept_ticks_max);
  for (const Member& kept : self.kept_roster) {
    if (kept.name == self.name) {
      highest_own = std::max(highest_own, kept.incarnation);
      continue;
    }
    learn(now, kept, Source::Kept);
    if (kept.state == MemberState::Left || is_own_address(kept.endpoints.control)) continue;
    asked.emplace(kept.endpoints.control, Asked{.batch = static_cast<std::uint32_t>(asked.size() / per_tick)});
  }
  for (const std::string& address : config.join) {
    if (!is_own_address(address)) asked[address].batch = 0;
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
  if (phase == Phase::Running) ask_for_tails(now);
  if (ticks()) dial(now);
  persist(now);
}

void Membership::State::note_answer(const std::string& address, Answer answer) {
  if (const auto found = asked.find(address); found != asked.end()) {
    // A later failure does not take back that a member was found.
    if (found->second.answer != Answer::Member) found->second.answer = answer;
  }
}

bool Membership::State::may_choose(Now now) const {
  if (phase != Phase::Joining || !rivals.empty()) return false;
  bool all_said = true;
  for (const auto& [address, question] : asked) {
    switch (question.answer) {
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
  for (const auto& [address, question] : asked) {
    if (question.answer == Answer::Silent || question.answer == Answer::None) {
      log(effect::LogLine::Level::Warning, "nobody answered at " + address + "; starting without, it stays dialled");
    }
  }
  incarnation = own.incarnation = pick_incarnation(now.wall, highest_own, rng);
  if (LEGION_PLANTED(SequenceResetInTheSameLife) && highest_own > 0) incarnation = own.incarnation = highest_own;
  own_hash = member_hash(own);
  highest_own = std::max(highest_own, incarnation);
  phase = Phase::Running;
  chosen_at = now.steady;
  roster_changed();
  effects.push_back(effect::IncarnationChosen{incarnation});
  for (auto& [name, entry] : members) {
    dialer.hurry(now, entry.member.endpoints.control);
    if (entry.member.state == MemberState::Alive || entry.member.state == MemberState::Suspect) connect(entry);
  }
  for (const auto& [address, question] : asked) {
    dialer.hurry(now, address);
    to_review.push_back(address);
  }
  effects.push_back(effect::PublishHeartbeat{});
  next_heartbeat = now.steady + config.heartbeat_interval;
}

void Membership::State::newcomer_seen(const Member& seen) {
  if (open || newcomers.size() >= limits::roster_entries_max) return;
  // An answer may be older than what has been heard meanwhile: that it has become a member.
  if (const Entry* entry = find(seen.name); entry != nullptr && entry->member.boot == seen.boot) return;
  newcomers.insert(seen.name);
}

void Membership::State::open_when_synced(Now now) {
  if (open) return;
  if (awaited > 0 || !newcomers.empty() || roster_awaited) {
    if (now.steady - chosen_at < barrier_timeout()) return;
    std::string missing;
    const auto add = [&](const std::string& name) { missing += (missing.empty() ? "" : ", ") + name; };
    for (const auto& [name, entry] : members) {
      if (entry.counted.awaited) add(name);
    }
    std::ranges::for_each(newcomers, add);
    if (missing.empty()) missing = "members not known yet";
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
  const Entry* entry = find(answerer->second);
  return entry != nullptr && entry->counted.use == MembershipAddresses::Use::Answers;
}

void Membership::State::forget_rival(const std::string& address) {
  if (rivals.erase(address) > 0 && phase == Phase::Joining && !asked.contains(address)) dialer.drop(address);
}

void Membership::State::want_while_joining(Now now) {
  const auto batch = (now.steady - started_at) / tick_interval;
  for (const auto& [address, question] : asked) {
    const bool answered = question.answer == Answer::Member || question.answer == Answer::Ourselves;
    if (rivals.contains(address) || (!answered && question.batch <= batch)) {
      dialer.want(now, address);
    } else {
      dialer.drop(address);
    }
  }
  for (const auto& [address, rival] : rivals) dialer.want(now, address);
}

bool Membership::State::is_wanted(const std::string& address) const {
  if (questions.contains(address)) return true;
  if (addresses.to_dial(address) && !is_own_address(address)) return true;
  return join_addresses.contains(address) && !addresses.answers(address) && !join_satisfied(address);
}

void Membership::State::review(Now now, const std::string& address) {
  if (is_wanted(address)) {
    dialer.want(now, address);
  } else {
    dialer.drop(address);
  }
}

void Membership::State::want_while_running(Now now) {
  for (const std::string& address : addresses.take_changed()) review(now, address);
  for (const std::string& address : std::exchange(to_review, {})) review(now, address);
  for (const std::string& address : join_addresses) review(now, address);
}

void Membership::State::dial(Now now) {
  if (phase == Phase::Joining) {
    want_while_joining(now);
  } else {
    want_while_running(now);
  }
  for (std::string& address : dialer.take_due(now)) {
    greeted_with[address] = incarnation;
    effects.push_back(effect::SendHello{std::move(address), {.self = own}});
  }
}

void Membership::State::persist(Now now) {
  if (!unsaved || phase == Phase::Idle || phase == Phase::Joining) return;
  // A change that had to wait comes no later than a tick after its pause: after twice the longest, it was quiet.
  const bool first = !saved_at || now.steady - *saved_at >= 2 * save_pause_max;
  if (!first && now.steady - *saved_at < save_pause) return;
  save_pause = first ? Duration{0} : std::clamp(save_pause * 2, save_pause_min, save_pause_max);
  unsaved = false;
  saved_at = now.steady;
  effects.push_back(effect::PersistRoster{});
}

}  // namespace legion
