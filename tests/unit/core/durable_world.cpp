#include "durable_world.hpp"

#include <algorithm>
#include <stdexcept>

#include <legion/core/durable_records.hpp>
#include <legion/event/msgpack_writer.hpp>

#include "durable_world_rules.hpp"

namespace legion::test {

using namespace world;

namespace {

std::uint64_t mixed(std::uint64_t number) { return Rng(number).next(); }

}  // namespace

DurableWorld::DurableWorld(std::uint64_t seed) : seed_(seed), random_(seed) {
  spools_["s1"];
  spools_["s2"];
  for (Origin& origin : origins_) origin = {};
  give_birth_to_origin();
  give_birth_to_origin();
  be_born();
}

/// The one that dies takes with it what no spool has.
void DurableWorld::give_birth_to_origin() {
  Origin& origin = origins_[incarnation_ % 2];
  const std::string name = incarnation_ % 2 == 0 ? "a" : "b";
  for (std::size_t n = 0; n + 1 < to_store_.size();) {
    const FrameHeader& header = to_store_[n].second->header();
    const bool is_nowhere = to_store_[n].second == to_store_[n + 1].second;
    const StreamId stream = {{std::string(header.origin), header.incarnation}, header.lane, std::string(header.type),
                             header.shard};
    if (!is_nowhere || header.origin != name || !random_.chance(0.5)) {
      ++n;
      continue;
    }
    const std::uint64_t last = header.first_sequence + header.event_count - 1;
    for (std::uint64_t at = header.first_sequence; at <= last; ++at) gone_.insert({stream, at});
    for (const char* spool : {"s1", "s2"}) {
      kit_->spools[spool].say_never(stream, header.first_sequence, last, "origin_gone");
    }
    to_store_.erase(to_store_.begin() + static_cast<std::ptrdiff_t>(n),
                    to_store_.begin() + static_cast<std::ptrdiff_t>(n + 2));
  }
  std::erase_if(held_back_, [&](const auto& entry) { return entry.first.origin.node == name; });
  origin = {};
  for (const char* type : {"trade.one", "trade.two", "other.three"}) {
    StreamId stream = stream_named(type, name);
    stream.origin.incarnation = incarnation_;
    origin.streams.push_back(stream);
    origin.next.push_back(1);
  }
  ++incarnation_;
}

void DurableWorld::be_born() {
  kit_ = std::make_unique<DurableKit>(small_config(), seed_ + tally_.lives);
  ++tally_.lives;
  kit_->now = now_;
  kit_->spools = std::move(spools_);
  kit_->gate("risk", "trade.");
  kit_->subscribe({.name = "orders", .capacity = capacity, .max_attempts = max_attempts});
  kit_->subscribe({.name = "audit",
                   .filter = "*",
                   .capacity = capacity,
                   .max_attempts = max_attempts,
                   .run_events_max = 8,
                   .tier = Priority::Low});
  kit_->subscribe(
      {.name = "bulk", .filter = "other.", .capacity = capacity, .concurrency = 4, .max_attempts = max_attempts});
  kit_->handler = [this](const DurableKit::Handled& one) { return treat(one); };
  // What is not over stays in the file, so that another death does not forget it.
  for (const InFlightEntry& entry : left_.value_or(std::vector<InFlightEntry>{})) {
    kit_->in_flight[{entry.agent, event_id(entry.stream, entry.sequence), entry.path}] = entry;
  }
  if (left_) kit_->durable.on_start_in_flight(*std::exchange(left_, {}));
  catch_up();
  become_certain();
  kit_->meet_spools();
  first_handed_.clear();
  deferred_.clear();
  told_.clear();
  disturbed_.clear();
  journal_seen_ = lost_seen_ = requests_of_life_ = 0;
  for (auto& [delivered, story] : stories_) {
    for (auto& [round, way] : story.ways) way.attempts_of_life.clear();
  }
}

/// kill -9: what is confirmed is known to the spools, of the rest perhaps the beginning. With the machine the file of
/// what was in hands is gone too.
void DurableWorld::die(Past past) {
  check();
  kit_->store_records(random_.below(kit_->records.size() + 1));
  take_back_letters();
  if (past == Past::Kept) {
    left_.emplace();
    for (const auto& [key, entry] : kit_->in_flight) left_->push_back(entry);
  } else {
    for (auto& [what, story] : stories_) {
      const bool any = std::ranges::any_of(story.ways, [](const auto& way) { return way.second.hand_overs > 0; });
      if (any) story.become_uncertain();
    }
  }
  spools_ = std::move(kit_->spools);
  now_ = kit_->now;
  be_born();
}

/// What is held is handled, records reach the spools if there is one.
void DurableWorld::end_cleanly() {
  kit_->durable.begin_drain(kit_->now);
  kit_->drain();
  const std::uint64_t lives = tally_.lives;
  handle(~std::size_t{0});
  if (lives != tally_.lives) return;  // killed on the way
  kit_->durable.close(kit_->now);
  kit_->drain();
  kit_->confirm_records();
  die();
}

DurableWorld::Manner DurableWorld::manner(std::uint32_t subscription, const StreamId& stream,
                                          std::uint64_t sequence) const {
  const auto found = stories_.find({subscription, stream, sequence});
  const bool is_fixed = found != stories_.end() && found->second.is_fixed;
  return is_fixed ? Manner::Fine : inborn_manner(subscription, stream, sequence);
}

DurableWorld::Manner DurableWorld::inborn_manner(std::uint32_t subscription, const StreamId& stream,
                                                 std::uint64_t sequence) const {
  const std::uint64_t draw =
      mixed(seed_ * 31 + subscription * 1'000'003 + sequence * 7919 + durable::StreamIdHash{}(stream)) % 200;
  switch (draw) {
    case 0:
    case 1: return Manner::Fails;
    case 2: return Manner::Rejected;
    case 3: return Manner::Kills;
    case 4:
    case 5:
    case 6:
    case 7: return Manner::FailsOnce;
    default: return Manner::Fine;
  }
}

bool DurableWorld::gate_stops(const Place& place) const {
  const auto& [stream, sequence] = place;
  if (!stream.type.starts_with("trade.") || broken_.contains(place)) return false;
  return mixed(seed_ + sequence * 104'729 + stream.origin.incarnation) % 50 == 0;
}

bool DurableWorld::gate_fails(const Place& place) const {
  const auto& [stream, sequence] = place;
  if (gate_is_fixed_.contains(place) || !is_bad_at_gate(place)) return false;
  return mixed(seed_ + sequence * 15'485'863 + stream.origin.incarnation) % 120 < 80;
}

bool DurableWorld::gate_kills(const Place& place) const {
  return is_bad_at_gate(place) && !gate_is_fixed_.contains(place) && !gate_fails(place);
}

/// Until it is fixed.
bool DurableWorld::is_bad_at_gate(const Place& place) const {
  const auto& [stream, sequence] = place;
  if (!stream.type.starts_with("trade.")) return false;
  return mixed(seed_ + sequence * 32'452'843 + stream.origin.incarnation) % 50 == 0;
}

FramePtr DurableWorld::some_events(const StreamId& stream, std::uint64_t first, std::size_t count) {
  FrameBuilder builder;
  builder.begin(stream.origin, stream.lane, stream.type, stream.shard, first);
  for (std::uint64_t sequence = first; sequence < first + count; ++sequence) {
    const Place place{stream, sequence};
    if (random_.chance(0.004)) {
      broken_.insert(place);
      builder.append(Bytes{0xc0});
      continue;
    }
    Event event;
    event.type = stream.type;
    event.source = stream.origin.node + "/feed";
    event.priority = stream.lane;
    event.time = kit_->now.wall;
    if (random_.chance(0.01)) {
      event.expires_at = kit_->now.wall + std::chrono::milliseconds(random_.below(20'000));
      expires_[place] = *event.expires_at;
    }
    MsgpackWriter data;
    data.bin(Bytes(random_.below(300)));
    event.data = data.take();
    builder.append(encode_event(event, stream.shard, limits::event_bytes_max).value().bytes);
  }
  return Frame::decode(builder.finish()).value();
}

void DurableWorld::publish() {
  Origin& origin = origins_[random_.below(2)];
  const std::size_t which = random_.below(origin.streams.size());
  const StreamId& stream = origin.streams[which];
  const std::uint64_t first = origin.next[which];
  const std::size_t count = 1 + random_.below(6);
  const FramePtr frame = some_events(stream, first, count);
  origin.next[which] += count;
  tally_.events += count;
  const auto known = std::ranges::find(all_, stream, &std::pair<StreamId, std::uint64_t>::first);
  (known == all_.end() ? all_.emplace_back(stream, 1) : *known).second = origin.next[which];

  const bool is_voided = random_.chance(0.08);
  for (const char* name : {"s1", "s2"}) {
    if (is_voided) {
      kit_->spools[name].say_never(stream, first, first + count - 1, "voided");
    } else {
      to_store_.emplace_back(name, frame);
    }
  }
  for (std::uint64_t n = 0; is_voided && n < count; ++n) gone_.insert({stream, first + n});
  auto& held_back = held_back_[stream];
  if (!held_back.empty() || random_.chance(0.15)) {
    held_back.push_back(frame);  // live only once it is confirmed, or late
  } else if (random_.chance(0.8)) {
    kit_->live(frame);
  }
}

void DurableWorld::arrive_late(std::size_t frames) {
  for (; frames > 0 && !held_back_.empty(); --frames) {
    const auto chosen = std::next(held_back_.begin(), static_cast<std::ptrdiff_t>(random_.below(held_back_.size())));
    auto& waiting = chosen->second;
    if (waiting.empty()) {
      held_back_.erase(chosen);
      continue;
    }
    const FramePtr frame = waiting.front();
    waiting.erase(waiting.begin());
    kit_->live(frame);
  }
}

void DurableWorld::tell_tail() {
  if (all_.empty()) return;
  const auto& [stream, end] = all_[random_.below(all_.size())];
  kit_->durable.on_tail(kit_->now, stream, 1 + random_.below(end));
  kit_->drain();
}

void DurableWorld::store_some(std::size_t frames) {
  for (; frames > 0 && !to_store_.empty(); --frames) {
    const std::size_t chosen = random_.below(std::min<std::size_t>(to_store_.size(), 4));
    const auto [name, frame] = to_store_[chosen];
    to_store_.erase(to_store_.begin() + static_cast<std::ptrdiff_t>(chosen));
    kit_->spools[name].store(frame);
  }
}

/// Retention at both spools.
void DurableWorld::trim() {
  if (all_.empty()) return;
  const auto& [stream, end] = all_[random_.below(all_.size())];
  const bool is_stored = std::ranges::none_of(to_store_, [&](const auto& waiting) {
    const FrameHeader& header = waiting.second->header();
    return header.type == stream.type && header.incarnation == stream.origin.incarnation;
  });
  if (end < 3 || !is_stored) return;
  const std::uint64_t last = 1 + random_.below(end - 2);
  // A frame that goes beyond stays whole.
  for (auto& [name, spool] : kit_->spools) {
    const StreamAnswer answer = spool.read({stream, 1, last, ~std::size_t{0}});
    for (const auto& part : answer.parts) {
      if (part.last > last) continue;
      if (part.kind == StreamAnswer::Part::Kind::Frame) spool.forget(stream, part.first, part.first);
      spool.say_never(stream, part.first, part.last, "trimmed");
      for (std::uint64_t n = part.first; n <= part.last; ++n) gone_.insert({stream, n});
    }
  }
}

/// Those that see each other take from each other what they lack.
void DurableWorld::catch_up() {
  for (auto& [name, spool] : kit_->spools) {
    for (const auto& [other, source] : kit_->spools) {
      if (other != name && spool.reachable && source.reachable) spool.catch_up(source);
    }
  }
}

void DurableWorld::change_reach() {
  ModelSpool& spool = kit_->spools[random_.chance(0.5) ? "s1" : "s2"];
  spool.reachable = !spool.reachable;
  catch_up();
  kit_->meet_spools();
}

/// Another member shows up under the name, or goes.
void DurableWorld::change_holder() {
  ModelSpool& spool = kit_->spools[random_.chance(0.5) ? "s1" : "s2"];
  spool.holder = spool.holder.empty() ? "x at tcp://10.0.0.1:7400" : "";
  if (!spool.holder.empty()) return;
  kit_->meet_spools();
}

Outcome DurableWorld::treat_at_gate(const Place& place, std::uint32_t attempt) {
  require(attempt <= max_attempts, "more than max_attempts at the gate: " + event_id(place.first, place.second));
  require(!broken_.contains(place), "a gate was given what does not decode");
  if (gate_stops(place)) return Outcome::stop();
  if (gate_kills(place)) {
    ++tally_.gate_kills;
    throw DurableKit::Killed{};
  }
  return gate_fails(place) ? Outcome::retry("the gate fails") : Outcome::done();
}

Outcome DurableWorld::treat(const DurableKit::Handled& one) {
  const std::uint32_t id = one.subscription.value;
  const Place place{one.stream, one.sequence};
  if (id == 0) return treat_at_gate(place, one.attempt);
  Story& told = story(id, one.stream, one.sequence);
  const std::uint32_t round = one.path ? one.path->round : 0;
  Way& way = told.ways[round];
  ++way.hand_overs;
  told.is_uncertain |= disturbed_.contains(id);
  if (told.was_done && one.attempt < way.last_attempt) {
    // It was handled, and the only spool that knows of its attempts is away.
    way.hand_overs = one.attempt;
    way.last_attempt = one.attempt;
  }
  told.history += " handed(" + std::to_string(one.attempt) + ", way " + std::to_string(round) + ", life " +
                  std::to_string(tally_.lives) + ')';
  const bool is_new_attempt = way.attempts_of_life.insert(one.attempt).second;
  const bool is_sure = !told.is_uncertain && !way.is_uncertain;
  if (is_sure) {
    require(is_new_attempt, "handed over twice under one attempt:" + told.history);
    require(one.attempt >= way.last_attempt, "attempts that go back:" + told.history);
    require(way.hand_overs + way.before >= one.attempt, "attempts that nobody made:" + told.history);
  }
  require(one.attempt <= max_attempts, "more than max_attempts:" + told.history);
  require(!broken_.contains(place), "what does not decode was handed over");
  const auto expires = expires_.find(place);
  require(expires == expires_.end() || expires->second >= kit_->now.wall, "what has expired was handed over");
  way.last_attempt = one.attempt;
  const bool is_first = way.attempts_of_life.size() == 1 && round == 0 && told.round == 0 && is_sure && id != bulk;
  std::uint64_t& last = first_handed_[{id, one.stream}];
  require(!is_first || one.sequence > last, "not in order of its stream");
  if (is_first) last = one.sequence;
  require(!gate_stops(place) && !gate_fails(place) && !gate_kills(place), "went past the gate");

  const Manner manner_now = manner(id, one.stream, one.sequence);
  switch (manner_now) {
    case Manner::Fails: return Outcome::retry("it always fails");
    case Manner::Rejected: return Outcome::reject("it is refused");
    case Manner::FailsOnce:
      if (one.attempt == 1) return Outcome::retry("it fails at first");
      break;
    case Manner::Kills: ++tally_.kills; throw DurableKit::Killed{};
    case Manner::Fine: break;
  }
  if (one.attempt == 1 && told.round == 0 && !is_quiet_ && manner_now == Manner::Fine && random_.chance(0.05)) {
    deferred_.push_back(one);
    return Outcome::deferred();
  }
  told.is_over = told.was_done = true;
  return Outcome::done();
}

void DurableWorld::handle(std::size_t tasks) {
  try {
    kit_->handle(tasks);
  } catch (const DurableKit::Killed&) {
    die();
  }
}

void DurableWorld::complete_one() {
  if (deferred_.empty()) return;
  const std::size_t chosen = random_.below(deferred_.size());
  const DurableKit::Handled one = deferred_[chosen];
  deferred_.erase(deferred_.begin() + static_cast<std::ptrdiff_t>(chosen));
  Story& told = story(one.subscription.value, one.stream, one.sequence);
  told.is_over = told.was_done = true;
  kit_->complete(one);
}

void DurableWorld::step() {
  ++steps_;
  const std::uint64_t choice = random_.below(1000);
  if (choice < 300) {
    publish();
  } else if (choice < 500) {
    handle(1 + random_.below(12));
  } else if (choice < 640) {
    random_.chance(0.05) ? kit_->fail_queries() : static_cast<void>(kit_->answer_queries());
  } else if (choice < 740) {
    kit_->confirm_records();
  } else if (choice < 830) {
    kit_->pass(Duration{static_cast<std::int64_t>(random_.below(200'000'000))});
  } else if (choice < 880) {
    complete_one();
  } else if (choice < 940) {
    store_some(1 + random_.below(28));
  } else if (choice < 953) {
    kit_->meet_spools();
  } else if (choice < 966) {
    random_.chance(0.7) ? arrive_late(1 + random_.below(6)) : tell_tail();
  } else if (choice < 971) {
    change_reach();
  } else if (choice < 981) {
    requeue_one();
  } else if (choice < 986) {
    trim();
  } else if (choice < 989) {
    give_birth_to_origin();
  } else if (choice < 993) {
    random_.chance(0.8) ? operate() : purge_one();
  } else if (choice < 995) {
    change_holder();
  } else if (choice < 996) {
    end_cleanly();
  } else {
    die(random_.chance(0.1) ? Past::LostWithTheMachine : Past::Kept);
  }
  check();
}

void DurableWorld::finish() {
  is_quiet_ = true;
  int quiet = 0;
  for (int round = 0; quiet < 3; ++round) {
    require(round < 3000, "something is stuck: " + kit_->figures("orders").trouble);
    ++steps_;
    store_some(~std::size_t{0} >> 1);
    for (auto& [name, spool] : kit_->spools) {
      spool.reachable = true;
      spool.holder.clear();
    }
    catch_up();
    kit_->meet_spools();
    while (!deferred_.empty()) complete_one();
    for (const DurableFigures& figures : kit_->durable.figures(0)) {
      if (figures.phase != DurablePhase::Removed) continue;
      disturb(subscription_named(figures.name));
      ++requests_of_life_;
      kit_->durable.on_reset(kit_->now, ++requests_, figures.name, StartBeginning{});
      kit_->drain();
    }
    const std::uint64_t lives = tally_.lives;
    const std::size_t journal = kit_->journal.size();
    try {
      kit_->settle(1s);
    } catch (const DurableKit::Killed&) {
      die();
    }
    check();
    std::uint64_t pending = 0;
    for (const auto& figures : kit_->durable.figures(0))
      pending += figures.pending + (figures.phase == DurablePhase::Active ? 0 : 1);
    quiet = lives == tally_.lives && pending == 0 && kit_->journal.size() == journal ? quiet + 1 : 0;
  }
  check_end();
}

}  // namespace legion::test
