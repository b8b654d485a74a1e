#include <legion/core/membership.hpp>

#include <algorithm>
#include <limits>
#include <utility>

#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

constexpr SteadyTime never{std::numeric_limits<std::int64_t>::max()};

}  // namespace

Membership::State::State(MembershipConfig config_given, Self self_given, std::uint64_t seed)
    : config(std::move(config_given)),
      self(std::move(self_given)),
      rng(seed),
      detector({.heartbeat_interval = config.heartbeat_interval,
                .suspect_after = config.suspect_after,
                .dead_after = config.dead_after,
                .forget_after = config.forget_after}),
      dialer(config.redial_max) {
  own = {.name = self.name,
         .incarnation = 0,
         .boot = self.boot,
         .endpoints = self.endpoints,
         .roles = self.roles,
         .version = self.version};
  own_hash = member_hash(own);
  own_addresses.insert(self.endpoints.control);
  join_addresses.insert(config.join.begin(), config.join.end());
  highest_own = self.kept_incarnation;
}

void Membership::State::log(effect::LogLine::Level level, std::string text) {
  effects.push_back(effect::LogLine{level, std::move(text)});
}

void Membership::State::roster_changed() {
  unsaved = true;
  changed();
}

Membership::Membership(MembershipConfig config, Self self, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(config), std::move(self), seed)) {}

Membership::~Membership() = default;

void Membership::start(Now now) { state_->start(now); }

void Membership::on_tick(Now now) {
  State& state = *state_;
  if (!state.ticks()) return;
  if (state.phase == State::Phase::Running && now.steady >= state.next_heartbeat) {
    state.effects.push_back(effect::PublishHeartbeat{});
    state.next_heartbeat = std::max(state.next_heartbeat + state.config.heartbeat_interval,
                                    now.steady + state.config.heartbeat_interval / 2);
  }
  // Ticks follow every input; what is due is only looked for when an input changed something, or now and then.
  if (!state.swept_needed && state.swept_at && now.steady - *state.swept_at < tick_interval / 2) return;
  state.sweep(now);
}

bool Membership::wants_tick() const { return state_->ticks() && state_->swept_needed; }

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
    State::Entry* entry = state.learn(now, asker, State::Source::Hello);
    if (entry != nullptr && entry->member.boot == asker.boot && state.incarnation != 0) {
      entry->introduced = true;
      state.recount(*entry);
    }
  } else if (foreign) {
    state.newcomer_seen(asker);
  }
  reply.self = state.own;
  if (const State::Entry* known = state.find(asker.name)) reply.highest_incarnation = known->member.incarnation;
  if (asker.name == state.self.name) reply.highest_incarnation = std::max(state.highest_own, state.incarnation);
  if (const auto found = state.forgotten.find(asker.name); found != state.forgotten.end()) {
    reply.highest_incarnation = std::max(reply.highest_incarnation, found->second);
  }
  if (state.incarnation != 0) reply.roster_hash = state.hash();
  // A member greets everybody: a roster in each answer would make N members exchange N x N x N entries.
  if (asker.incarnation == 0) {
    RosterPage first = state.page({});
    reply.roster = std::move(first.members);
    reply.more = first.more;
  }
  return reply;
}

void Membership::on_hello_reply(Now now, const std::string& address, const HelloReply& reply) {
  State& state = *state_;
  const bool understood = reply.version >= protocol_version_min && reply.version <= protocol_version;
  const bool ours = reply.self.boot == state.self.boot;
  state.dialer.on_done(
      now, address, understood ? MembershipDialer::Outcome::Answered : MembershipDialer::Outcome::Failed, state.rng);
  const Incarnation greeted_as = std::exchange(state.greeted_with[address], 0);
  state.greeted_with.erase(address);
  state.questions.erase(address);
  state.to_review.push_back(address);
  state.changed();
  if (ours) {
    state.own_addresses.insert(address);
    state.forget_rival(address);
    state.note_answer(address, State::Answer::Ourselves);
    return;
  }
  if (!understood) {
    state.forget_rival(address);
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
  state.forget_rival(address);
  const bool newcomer = reply.self.incarnation == 0;
  state.note_answer(address, newcomer ? State::Answer::Newcomer : State::Answer::Member);
  State::Entry* entry = nullptr;
  if (newcomer) {
    state.newcomer_seen(reply.self);
  } else {
    entry = state.learn(now, reply.self, State::Source::Hello);
    if (state.join_addresses.contains(address)) state.answered_by[address] = reply.self.name;
    if (entry != nullptr && entry->member.boot == reply.self.boot && greeted_as != 0 &&
        greeted_as == state.incarnation) {
      entry->introduced = true;
      state.recount(*entry);
    }
  }
  state.learn_all(now, reply.roster);
  if (entry != nullptr) state.complete_roster(now, address, *entry, reply);
}

void Membership::on_hello_failed(Now now, const std::string& address, HelloFailure failure, std::string_view why) {
  State& state = *state_;
  state.dialer.on_done(now, address, MembershipDialer::Outcome::Failed, state.rng);
  state.greeted_with.erase(address);
  state.forget_rival(address);
  state.questions.erase(address);
  state.to_review.push_back(address);
  state.note_answer(address, failure == HelloFailure::Refused ? State::Answer::Refused : State::Answer::Silent);
  state.changed();
  if (!why.empty() && state.version_reported.insert(address).second) {
    state.log(effect::LogLine::Level::Error, "the node at " + address + " refuses hello: " + std::string(why));
  }
}

void Membership::on_roster(Now now, const std::vector<Member>& members, RosterPart part) {
  state_->learn_all(now, members);
  if (part == RosterPart::Last && std::exchange(state_->roster_awaited, false)) state_->changed();
}

void Membership::on_heartbeat(Now now, const Heartbeat& heartbeat) {
  State& state = *state_;
  const Member& sender = heartbeat.self;
  if (sender.boot == state.self.boot || sender.incarnation == 0) return;
  if (sender.name == state.self.name) {
    state.own_name_seen(now, sender, State::Source::Heartbeat);
    return;
  }
  State::Entry* entry = state.learn(now, sender, State::Source::Heartbeat);
  if (entry == nullptr || entry->member.boot != sender.boot || entry->member.incarnation != sender.incarnation) return;
  if (heartbeat.leaving) {
    state.mark_left(now, *entry, "it said goodbye in its last heartbeat");
  } else if (heartbeat.roster_hash != state.hash()) {
    state.fetch_roster(now, *entry, heartbeat.roster_hash);
  }
}

void Membership::on_goodbye(Now now, const std::string& name, Incarnation incarnation) {
  State::Entry* entry = state_->find(name);
  if (entry != nullptr && entry->member.incarnation == incarnation) state_->mark_left(now, *entry, "it said goodbye");
}

void Membership::on_receiver_synced(Now now, const std::string& receiver) {
  State& state = *state_;
  SteadyTime counts_until = never;
  if (State::Entry* entry = state.find(receiver)) {
    entry->synced = true;
    state.recount(*entry);
    // It may also be a life that has not been heard of yet: its links can be faster than its hello.
    counts_until = now.steady + state.config.heartbeat_interval;
  }
  if (!state.open && is_node_name(receiver) && state.early_synced.size() < limits::roster_entries_max) {
    state.early_synced[receiver] = counts_until;
  }
  state.changed();
}

void Membership::leave(Now) {
  State& state = *state_;
  const bool known_to_others = state.phase == State::Phase::Running || state.phase == State::Phase::Fenced;
  if (state.phase == State::Phase::GaveUp) return;
  state.phase = State::Phase::Left;
  state.own.state = MemberState::Left;
  state.own_hash = 0;
  if (!known_to_others) return;
  state.effects.push_back(effect::PublishHeartbeat{.leaving = true});
  if (auto addresses = state.alive_addresses(); !addresses.empty()) {
    state.effects.push_back(effect::SendGoodbye{std::move(addresses)});
  }
}

std::vector<MembershipEffect> Membership::drain_effects() { return std::exchange(state_->effects, {}); }

Incarnation Membership::incarnation() const { return state_->incarnation; }
bool Membership::publishing_open() const { return state_->open; }

}  // namespace legion
