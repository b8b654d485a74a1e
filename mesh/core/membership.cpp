#include <legion/core/membership.hpp>

#include <algorithm>
#include <utility>

#include <legion/core/membership_state.hpp>

namespace legion {

Membership::State::State(MembershipConfig config_given, Self self_given, std::uint64_t seed)
    : config(std::move(config_given)),
      self(std::move(self_given)),
      rng(seed),
      detector({.heartbeat_interval = config.heartbeat_interval,
                .suspect_after = config.suspect_after,
                .dead_after = config.dead_after,
                .forget_after = config.forget_after}),
      dialer(config.redial_max) {
  own_addresses.insert(self.endpoints.control);
  highest_own = self.kept_incarnation;
}

Member Membership::State::self_member() const {
  return {.name = self.name,
          .incarnation = incarnation,
          .boot = self.boot,
          .endpoints = self.endpoints,
          .roles = self.roles,
          .version = self.version,
          .state = phase == Phase::Left ? MemberState::Left : MemberState::Alive};
}

std::vector<Member> Membership::State::roster() const {
  std::vector<Member> all;
  all.reserve(members.size() + 1);
  for (const auto& [name, entry] : members) all.push_back(entry.member);
  const auto place = std::lower_bound(all.begin(), all.end(), self.name,
                                      [](const Member& member, const std::string& name) { return member.name < name; });
  all.insert(place, self_member());
  return all;
}

std::uint64_t Membership::State::hash() const {
  if (!known_hash) known_hash = roster_hash(roster());
  return *known_hash;
}

std::vector<std::string> Membership::State::alive_addresses() const {
  std::vector<std::string> addresses;
  for (const auto& [name, entry] : members) {
    if (entry.member.state == MemberState::Alive) addresses.push_back(entry.member.endpoints.control);
  }
  return addresses;
}

void Membership::State::log(effect::LogLine::Level level, std::string text) {
  effects.push_back(effect::LogLine{level, std::move(text)});
}

void Membership::State::roster_changed() {
  known_hash.reset();
  unsaved = true;
  changed();
}

Membership::Membership(MembershipConfig config, Self self, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(config), std::move(self), seed)) {}

Membership::~Membership() = default;

void Membership::start(Now now) { state_->start(now); }

void Membership::on_tick(Now now) {
  State& state = *state_;
  if (state.phase != State::Phase::Joining && state.phase != State::Phase::Running) return;
  if (state.phase == State::Phase::Running && now.steady >= state.next_heartbeat) {
    state.effects.push_back(effect::PublishHeartbeat{});
    state.next_heartbeat = std::max(state.next_heartbeat + state.config.heartbeat_interval,
                                    now.steady + state.config.heartbeat_interval / 2);
  }
  // Ticks follow every input; walking all members is only worth it when one changed something, or now and then.
  if (!state.swept_needed && state.swept_at && now.steady - *state.swept_at < tick_interval / 2) return;
  state.sweep(now);
}

Result<HelloReply> Membership::on_hello(Now now, const HelloRequest& request) {
  State& state = *state_;
  if (request.version_max < protocol_version_min || request.version_min > protocol_version) {
    return fail(ErrorCode::WrongVersion, "protocol versions " + std::to_string(request.version_min) + " to " +
                                             std::to_string(request.version_max) + " are not understood here, only " +
                                             std::to_string(protocol_version_min) + " to " +
                                             std::to_string(protocol_version));
  }
  const Member& asker = request.self;
  HelloReply reply;
  reply.version = std::min(request.version_max, protocol_version);
  const bool foreign = !request.observer && asker.boot != state.self.boot;
  if (foreign && asker.name == state.self.name) {
    reply.name_taken = state.answers_taken(asker);
    state.own_name_seen(now, asker, State::Source::Hello);
  } else if (foreign && asker.incarnation != 0) {
    state.learn(now, asker, State::Source::Hello);
    const auto found = state.members.find(asker.name);
    if (found != state.members.end() && found->second.member.boot == asker.boot && state.incarnation != 0) {
      found->second.introduced = true;
    }
  } else if (foreign && !state.open && state.newcomers.size() < limits::roster_entries_max) {
    state.newcomers.insert(asker.name);
  }
  reply.self = state.self_member();
  if (const auto found = state.members.find(asker.name); found != state.members.end()) {
    reply.highest_incarnation = found->second.member.incarnation;
  }
  if (asker.name == state.self.name) reply.highest_incarnation = std::max(state.highest_own, state.incarnation);
  if (const auto found = state.forgotten.find(asker.name); found != state.forgotten.end()) {
    reply.highest_incarnation = std::max(reply.highest_incarnation, found->second);
  }
  reply.roster = state.roster();
  std::erase_if(reply.roster, [](const Member& member) { return member.incarnation == 0; });
  return reply;
}

void Membership::on_hello_reply(Now now, const std::string& address, const HelloReply& reply) {
  State& state = *state_;
  const bool understood = reply.version >= protocol_version_min && reply.version <= protocol_version;
  const bool ours = reply.self.boot == state.self.boot;
  state.dialer.on_done(
      now, address, understood ? MembershipDialer::Outcome::Answered : MembershipDialer::Outcome::Failed, state.rng);
  const Incarnation greeted = std::exchange(state.greeted_with[address], 0);
  state.greeted_with.erase(address);
  state.questions.erase(address);
  state.changed();
  if (ours) {
    state.own_addresses.insert(address);
    state.rivals.erase(address);
    state.note_answer(address, State::Answer::Ourselves);
    return;
  }
  if (!understood) {
    state.rivals.erase(address);
    state.note_answer(address, State::Answer::Silent);
    if (state.version_reported.insert(address).second) {
      state.log(effect::LogLine::Level::Error, "the node at " + address + " speaks protocol version " +
                                                   std::to_string(reply.version) + ", which is not understood here");
    }
    return;
  }
  state.version_reported.erase(address);
  state.highest_own = std::max(state.highest_own, reply.highest_incarnation);
  if (reply.self.name == state.self.name) {
    state.on_rival_answer(now, address, reply);
    if (state.phase != State::Phase::Fenced) state.learn_all(now, reply.roster);
    return;
  }
  state.rivals.erase(address);
  const bool newcomer = reply.self.incarnation == 0;
  state.note_answer(address, newcomer ? State::Answer::Newcomer : State::Answer::Member);
  if (newcomer) {
    if (!state.open && state.newcomers.size() < limits::roster_entries_max) state.newcomers.insert(reply.self.name);
  } else {
    state.learn(now, reply.self, State::Source::Hello);
    state.answered_by[address] = reply.self.name;
    const auto found = state.members.find(reply.self.name);
    if (found != state.members.end() && found->second.member.boot == reply.self.boot && greeted != 0 &&
        greeted == state.incarnation) {
      found->second.introduced = true;
    }
  }
  state.learn_all(now, reply.roster);
}

void Membership::on_hello_failed(Now now, const std::string& address, HelloFailure failure, std::string_view why) {
  State& state = *state_;
  state.dialer.on_done(now, address, MembershipDialer::Outcome::Failed, state.rng);
  state.greeted_with.erase(address);
  state.rivals.erase(address);
  state.questions.erase(address);
  state.note_answer(address, failure == HelloFailure::Refused ? State::Answer::Refused : State::Answer::Silent);
  state.changed();
  if (!why.empty() && state.version_reported.insert(address).second) {
    state.log(effect::LogLine::Level::Error, "the node at " + address + " refuses hello: " + std::string(why));
  }
}

void Membership::on_roster(Now now, const std::vector<Member>& roster) { state_->learn_all(now, roster); }

void Membership::on_heartbeat(Now now, const Heartbeat& heartbeat) {
  State& state = *state_;
  const Member& sender = heartbeat.self;
  if (sender.boot == state.self.boot || sender.incarnation == 0) return;
  if (sender.name == state.self.name) {
    state.own_name_seen(now, sender, State::Source::Heartbeat);
    return;
  }
  state.learn(now, sender, State::Source::Heartbeat);
  const auto found = state.members.find(sender.name);
  if (found == state.members.end() || found->second.member.boot != sender.boot ||
      found->second.member.incarnation != sender.incarnation) {
    return;
  }
  State::Entry& entry = found->second;
  if (heartbeat.leaving) {
    state.mark_left(now, entry, "it said goodbye in its last heartbeat");
  } else if (heartbeat.roster_hash != state.hash()) {
    state.fetch_roster(now, entry, heartbeat.roster_hash);
  }
}

void Membership::on_goodbye(Now now, const std::string& name, Incarnation incarnation) {
  const auto found = state_->members.find(name);
  if (found == state_->members.end() || found->second.member.incarnation != incarnation) return;
  state_->mark_left(now, found->second, "it said goodbye");
}

void Membership::on_receiver_synced(Now, const std::string& receiver) {
  State& state = *state_;
  if (const auto found = state.members.find(receiver); found != state.members.end()) {
    found->second.synced = true;
  } else if (!state.open && is_node_name(receiver) && state.early_synced.size() < limits::roster_entries_max) {
    state.early_synced.insert(receiver);
  }
  state.changed();
}

void Membership::leave(Now) {
  State& state = *state_;
  const bool known_to_others = state.phase == State::Phase::Running || state.phase == State::Phase::Fenced;
  if (state.phase == State::Phase::GaveUp) return;
  state.phase = State::Phase::Left;
  state.known_hash.reset();
  if (!known_to_others) return;
  state.effects.push_back(effect::PublishHeartbeat{.leaving = true});
  if (auto addresses = state.alive_addresses(); !addresses.empty()) {
    state.effects.push_back(effect::SendGoodbye{std::move(addresses)});
  }
}

std::vector<MembershipEffect> Membership::drain_effects() { return std::exchange(state_->effects, {}); }

Incarnation Membership::incarnation() const { return state_->incarnation; }
bool Membership::publishing_open() const { return state_->open; }
Member Membership::self_member() const { return state_->self_member(); }
std::vector<Member> Membership::roster() const { return state_->roster(); }
std::uint64_t Membership::hash() const { return state_->hash(); }

std::vector<MemberView> Membership::view(Now now) const {
  std::vector<MemberView> views;
  for (Member& member : state_->roster()) {
    const bool self = member.name == state_->self.name;
    std::optional<Duration> age;
    if (!self) age = state_->detector.silence(now, member.name);
    views.push_back({.member = std::move(member), .heartbeat_age = age, .self = self});
  }
  return views;
}

std::optional<Member> Membership::find(const std::string& name) const {
  if (name == state_->self.name) return state_->self_member();
  const auto found = state_->members.find(name);
  if (found == state_->members.end()) return std::nullopt;
  return found->second.member;
}

}  // namespace legion
