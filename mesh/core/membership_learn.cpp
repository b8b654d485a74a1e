// What is believed about the members: merging, lives, liveness, links.
#include <algorithm>
#include <tuple>
#include <utility>

#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

constexpr std::size_t fetches_per_interval_max = 8;
constexpr std::uint32_t fetch_repeats_eager = 4;
constexpr std::uint32_t fetch_backoff_shift_max = 5;

std::string life(const Member& member) { return "incarnation " + std::to_string(member.incarnation); }

}  // namespace

void Membership::State::change(Entry& entry, std::optional<MemberState> from, MemberState to, std::string why) {
  entry.member.state = to;
  effects.push_back(effect::MemberChanged{entry.member, from, to, std::move(why)});
  changed();
}

void Membership::State::connect(Entry& entry) {
  if (phase != Phase::Running) return;
  entry.connected = true;
  effects.push_back(effect::ConnectPeer{entry.member});
}

void Membership::State::disconnect(Entry& entry) {
  entry.close_at.reset();
  if (!std::exchange(entry.connected, false)) return;
  effects.push_back(effect::DisconnectPeer{entry.member.name});
}

void Membership::State::collect_tails(const Member& gone) {
  if (auto addresses = alive_addresses(); phase == Phase::Running && !addresses.empty()) {
    effects.push_back(effect::CollectTails{{gone.name, gone.incarnation}, std::move(addresses)});
  }
}

void Membership::State::learn_all(Now now, const std::vector<Member>& told) {
  const std::size_t count = std::min(told.size(), limits::roster_entries_max);
  for (std::size_t i = 0; i < count; ++i) learn(now, told[i], Source::Told);
}

void Membership::State::learn(Now now, const Member& told, Source source) {
  if (phase == Phase::Fenced || phase == Phase::GaveUp || phase == Phase::Left) return;
  if (told.incarnation == 0 || !is_node_name(told.name)) return;
  if (told.name == self.name) {
    own_name_seen(now, told, source);
    return;
  }
  const auto found = members.find(told.name);
  if (found != members.end()) {
    Entry& entry = found->second;
    const auto lower = [](const Member& a, const Member& b) {
      return std::tie(a.incarnation, a.boot) < std::tie(b.incarnation, b.boot);
    };
    if (lower(told, entry.member)) return;
    if (lower(entry.member, told)) {
      begin_life(now, entry, told, source, entry.member.state);
    } else {
      same_life(now, entry, told, source);
    }
    return;
  }
  const auto past = forgotten.find(told.name);
  const bool from_itself = source == Source::Heartbeat || source == Source::Hello;
  if (past != forgotten.end() && !from_itself && told.incarnation <= past->second) return;
  if (members.size() + 1 >= limits::roster_entries_max) {
    if (!std::exchange(bound_reported, true)) {
      log(effect::LogLine::Level::Error, "the roster is full with " + std::to_string(limits::roster_entries_max) +
                                             " members; " + told.name + " and further ones are not taken in");
    }
    return;
  }
  forgotten.erase(told.name);
  begin_life(now, members[told.name], told, source, std::nullopt);
}

void Membership::State::begin_life(Now now, Entry& entry, const Member& told, Source source,
                                   std::optional<MemberState> from) {
  const Entry before = std::exchange(entry, Entry{.member = told});
  const bool from_itself = source == Source::Heartbeat || source == Source::Hello;
  entry.synced = early_synced.erase(told.name) > 0;
  MemberState state = MemberState::Alive;
  if (!from_itself && told.state == MemberState::Left) {
    state = MemberState::Left;
    detector.mark_left(now, told.name);
  } else if (!from_itself && (told.state == MemberState::Dead || source == Source::Kept)) {
    state = MemberState::Dead;
    detector.assume_dead(now, told.name);
  } else {
    detector.expect(now, told.name);
    if (from_itself) detector.on_heard(now, told.name);
  }
  std::string why = from ? "it succeeded " + life(before.member) + " with " + life(told)
                         : life(told) + " at " + told.endpoints.control;
  if (source == Source::Kept) why += ", kept from the last run";
  change(entry, from, state, std::move(why));
  roster_changed();

  if (before.connected) {
    entry.connected = true;
    if (state != MemberState::Alive || before.member.endpoints != told.endpoints) disconnect(entry);
  }
  if (state == MemberState::Alive) {
    newcomers.erase(told.name);
    connect(entry);
  }
  if (state != MemberState::Left) dialer.hurry(now, told.endpoints.control);
  if (from && *from != MemberState::Left) collect_tails(before.member);
}

void Membership::State::same_life(Now now, Entry& entry, const Member& told, Source source) {
  if (entry.member.state == MemberState::Left) return;
  switch (source) {
    case Source::Heartbeat:
    case Source::Hello:
      relocate(entry, told);
      heard(now, entry, source);
      return;
    case Source::Told: break;
    case Source::Kept: return;
  }
  if (told.state == MemberState::Left) {
    mark_left(now, entry, "others heard its goodbye");
    return;
  }
  const bool others_hear_it = told.state == MemberState::Alive || told.state == MemberState::Suspect;
  const bool never_heard = !detector.silence(now, told.name);
  if (others_hear_it && entry.member.state == MemberState::Dead && !entry.judged_here && never_heard) {
    detector.expect(now, told.name);
    change(entry, MemberState::Dead, MemberState::Alive, "others hear it");
    connect(entry);
  }
}

/// A hello is a sign of life only the first time: with heartbeats lost one way, hellos would keep the dead alive.
void Membership::State::heard(Now now, Entry& entry, Source source) {
  const std::string& name = entry.member.name;
  if (source == Source::Hello && detector.silence(now, name)) {
    if (entry.member.state == MemberState::Dead) connect(entry);
    return;
  }
  const auto back = detector.on_heard(now, name);
  if (!back) return;
  entry.judged_here = false;
  change(entry, back->from, MemberState::Alive, "it is heard again");
  if (!entry.connected || back->from == MemberState::Dead) connect(entry);
}

void Membership::State::relocate(Entry& entry, const Member& told) {
  if (entry.member.endpoints == told.endpoints && entry.member.roles == told.roles &&
      entry.member.version == told.version) {
    return;
  }
  const bool moved = entry.member.endpoints != told.endpoints;
  const MemberState state = std::exchange(entry.member, told).state;
  entry.member.state = state;
  roster_changed();
  if (moved && entry.connected) {
    disconnect(entry);
    connect(entry);
  }
}

/// The links stay for a while: what the other lanes still hold would be thrown away with them.
void Membership::State::mark_left(Now now, Entry& entry, std::string why) {
  if (entry.member.state == MemberState::Left) return;
  detector.mark_left(now, entry.member.name);
  entry.close_at = now.steady + config.suspect_after;
  change(entry, entry.member.state, MemberState::Left, std::move(why));
  roster_changed();
  // Its last words may have been dropped on the way here; others may have heard them.
  collect_tails(entry.member);
}

void Membership::State::apply(Now now, const FailureDetector::Tick& tick) {
  for (const FailureDetector::Transition& step : tick.transitions) {
    Entry& entry = members.at(step.name);
    const auto silence = detector.silence(now, step.name);
    const std::string since =
        silence ? "not heard for " + std::to_string(silence->count() / 1'000'000) + " ms" : "never heard";
    change(entry, step.from, step.to, since);
    if (step.to != MemberState::Dead) continue;
    entry.judged_here = true;
    entry.introduced = false;
    dialer.hurry(now, entry.member.endpoints.control);
    collect_tails(entry.member);
  }
  for (const std::string& name : tick.forgotten) {
    const auto found = members.find(name);
    disconnect(found->second);
    if (forgotten.size() < limits::roster_entries_max) forgotten[name] = found->second.member.incarnation;
    log(effect::LogLine::Level::Info, name + " is forgotten: " + std::string(to_string(found->second.member.state)) +
                                          " for longer than forget_after");
    members.erase(found);
    fetches.erase(name);
    roster_changed();
  }
  for (auto& [name, entry] : members) {
    if (entry.close_at && now.steady >= *entry.close_at) disconnect(entry);
  }
}

/// At most once per interval and sender, once per interval and hash (the same hash is the same roster), and ever more
/// rarely where the same two hashes keep differing: then one of the two has a reason not to believe the other.
void Membership::State::fetch_roster(Now now, const Entry& entry, std::uint64_t their_hash) {
  if (phase != Phase::Running) return;
  if (now.steady - fetch_window >= config.heartbeat_interval) {
    fetch_window = now.steady;
    fetched_hashes.clear();
  }
  if (fetched_hashes.size() >= fetches_per_interval_max || fetched_hashes.contains(their_hash)) return;
  const auto [found, fresh] = fetches.try_emplace(entry.member.name);
  Fetch& fetch = found->second;
  const bool same = !fresh && fetch.their_hash == their_hash && fetch.our_hash == hash();
  const std::uint32_t repeats = same ? fetch.repeats + 1 : 0;
  const std::uint32_t shift =
      repeats <= fetch_repeats_eager ? 0 : std::min(repeats - fetch_repeats_eager, fetch_backoff_shift_max);
  // Heartbeats come once per interval, some a little early.
  const Duration pause = (config.heartbeat_interval * 9 / 10) * (std::int64_t{1} << shift);
  if (!fresh && now.steady - fetch.at < pause) return;
  fetch = {.at = now.steady, .their_hash = their_hash, .our_hash = hash(), .repeats = repeats};
  fetched_hashes.insert(their_hash);
  effects.push_back(effect::FetchRoster{entry.member.endpoints.control});
}

}  // namespace legion
