// What is believed about the members: merging, lives, liveness, links.
#include <algorithm>
#include <tuple>
#include <utility>

#include <legion/base/planted.hpp>
#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

constexpr std::int64_t fetches_per_interval_max = 4;
constexpr std::uint32_t fetch_repeats_eager = 4;
constexpr std::uint32_t fetch_backoff_shift_max = 5;

std::string life(const Member& member) { return "incarnation " + std::to_string(member.incarnation); }

}  // namespace

void Membership::State::change(Entry& entry, std::optional<MemberState> from, MemberState to, std::string why) {
  entry.member.state = to;
  recount(entry);
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

void Membership::State::learn_all(Now now, const std::vector<Member>& told) {
  const std::size_t count = std::min(told.size(), limits::roster_entries_max);
  for (std::size_t i = 0; i < count; ++i) learn(now, told[i], Source::Told);
}

/// The entry of that name, whatever has become of it; nullptr for the own name and for whom there is none.
Membership::State::Entry* Membership::State::learn(Now now, const Member& told, Source source) {
  if (phase == Phase::Fenced || phase == Phase::GaveUp || phase == Phase::Left) return nullptr;
  if (told.incarnation == 0 || !is_node_name(told.name)) return nullptr;
  if (told.name == self.name) {
    own_name_seen(now, told, source);
    return nullptr;
  }
  if (Entry* entry = find(told.name)) {
    const auto life_of = [](const Member& member) { return std::tie(member.incarnation, member.boot); };
    if (LEGION_PLANTED(StaleRosterEntry) && entry->connected) return entry;
    if (life_of(entry->member) < life_of(told)) {
      begin_life(now, *entry, told, source, entry->member.state);
    } else if (life_of(entry->member) == life_of(told)) {
      same_life(now, *entry, told, source);
    }
    return entry;
  }
  const auto past = forgotten.find(told.name);
  const bool from_itself = source == Source::Heartbeat || source == Source::Hello;
  if (past != forgotten.end() && !from_itself && told.incarnation <= past->second) return nullptr;
  if (members.size() + 1 >= limits::roster_entries_max) {
    if (!std::exchange(bound_reported, true)) {
      log(effect::LogLine::Level::Error, "the roster is full with " + std::to_string(limits::roster_entries_max) +
                                             " members; " + told.name + " and further ones are not taken in");
    }
    return nullptr;
  }
  forgotten.erase(told.name);
  Entry& entry = add(told.name);
  begin_life(now, entry, told, source, std::nullopt);
  return &entry;
}

void Membership::State::begin_life(Now now, Entry& entry, const Member& told, Source source,
                                   std::optional<MemberState> from) {
  uncount(entry);
  closing.erase(told.name);
  const Entry before = std::exchange(entry, Entry{.member = told, .hash = member_hash(told)});
  const bool from_itself = source == Source::Heartbeat || source == Source::Hello;
  const auto early = early_synced.extract(told.name);
  entry.synced = !early.empty() && now.steady <= early.mapped();
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
  if (others_hear_it && entry.member.state == MemberState::Dead && !entry.judged_here &&
      !detector.silence(now, told.name)) {
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
  cancel_tails(entry);
  change(entry, back->from, MemberState::Alive, "it is heard again");
  if (!entry.connected || back->from == MemberState::Dead) connect(entry);
}

void Membership::State::relocate(Entry& entry, const Member& told) {
  const std::uint64_t hash = member_hash(told);
  if (entry.hash == hash && entry.member.roles == told.roles && entry.member.version == told.version) return;
  const bool moved = entry.hash != hash;
  uncount(entry);
  const MemberState state = std::exchange(entry.member, told).state;
  entry.member.state = state;
  entry.hash = hash;
  recount(entry);
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
  closing.insert(entry.member.name);
  change(entry, entry.member.state, MemberState::Left, std::move(why));
  roster_changed();
  // Its last words may have been dropped on the way here; others may have heard them.
  collect_tails(entry.member);
}

void Membership::State::apply(Now now, const FailureDetector::Tick& tick) {
  for (const FailureDetector::Transition& step : tick.transitions) {
    Entry& entry = *find(step.name);
    const auto silence = detector.silence(now, step.name);
    const std::string since =
        silence ? "not heard for " + std::to_string(silence->count() / 1'000'000) + " ms" : "never heard";
    change(entry, step.from, step.to, since);
    if (step.to != MemberState::Dead) continue;
    entry.judged_here = true;
    entry.introduced = false;
    recount(entry);
    dialer.hurry(now, entry.member.endpoints.control);
    entry.gone_as = collect_tails(entry.member);
  }
  for (const std::string& name : tick.forgotten) {
    Entry& entry = *find(name);
    disconnect(entry);
    if (forgotten.size() < limits::roster_entries_max) forgotten[name] = entry.member.incarnation;
    log(effect::LogLine::Level::Info, name + " is forgotten: " + std::string(to_string(entry.member.state)) +
                                          " for longer than forget_after");
    erase(name);
    fetches.erase(name);
    roster_changed();
  }
  for (auto name = closing.begin(); name != closing.end();) {
    Entry& entry = *find(*name);
    const bool due = !entry.close_at || now.steady >= *entry.close_at;
    if (due) disconnect(entry);
    name = due ? closing.erase(name) : std::next(name);
  }
}

/// What a first answer did not carry is fetched; until it is there the barrier does not know whom to wait for.
void Membership::State::complete_roster(Now now, const std::string& address, const Entry& answerer,
                                        const HelloReply& reply) {
  const bool told_apart = reply.roster.empty() && reply.roster_hash != 0 && reply.roster_hash != hash();
  if (reply.more && !roster_awaited) {
    roster_awaited = true;
    effects.push_back(effect::FetchRoster{address});
  } else if (told_apart && fetch_roster(now, answerer, reply.roster_hash) == Fetching::Yes) {
    roster_awaited = true;
  }
}

/// A quarter of an interval apart (in a crowd that joins at once, hellos do the rest of the work meanwhile), at most
/// once per interval and sender, once per interval and hash (the same hash is the same roster), and ever more rarely
/// where the same two hashes keep differing: then one of the two has a reason not to believe the other.
Membership::State::Fetching Membership::State::fetch_roster(Now now, const Entry& entry, std::uint64_t their_hash) {
  if (phase != Phase::Running) return Fetching::No;
  if (now.steady - fetch_window >= config.heartbeat_interval) {
    fetch_window = now.steady;
    fetched_hashes.clear();
  }
  const bool soon = fetched_at && now.steady - *fetched_at < config.heartbeat_interval / fetches_per_interval_max;
  if (soon || fetched_hashes.contains(their_hash)) return Fetching::No;
  const auto [found, fresh] = fetches.try_emplace(entry.member.name);
  Fetch& fetch = found->second;
  const bool same = !fresh && fetch.their_hash == their_hash && fetch.our_hash == hash();
  const std::uint32_t repeats = same ? fetch.repeats + 1 : 0;
  const std::uint32_t shift =
      repeats <= fetch_repeats_eager ? 0 : std::min(repeats - fetch_repeats_eager, fetch_backoff_shift_max);
  // Heartbeats come once per interval, some a little early.
  const Duration pause = (config.heartbeat_interval * 9 / 10) * (std::int64_t{1} << shift);
  if (!fresh && now.steady - fetch.at < pause) return Fetching::No;
  fetch = {.at = now.steady, .their_hash = their_hash, .our_hash = hash(), .repeats = repeats};
  fetched_hashes.insert(their_hash);
  fetched_at = now.steady;
  effects.push_back(effect::FetchRoster{entry.member.endpoints.control});
  return Fetching::Yes;
}

}  // namespace legion
