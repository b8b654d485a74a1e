#include "agents.hpp"

#include <chrono>
#include <cmath>
#include <utility>

#include <legion/event/event_type.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

#include "kernel/kernel.hpp"

namespace legion::sim {

namespace {

SteadyTime now() { return Kernel::get().now(); }

std::chrono::steady_clock::time_point as_point(SteadyTime at) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(at.ns));
}

Tag make_tag(std::uint32_t number, std::uint32_t count) { return (Tag{number} << 32) | count; }

}  // namespace

Bytes data_of(Tag tag) {
  MsgpackWriter out;
  out.map(2);
  out.str("tag");
  out.uint(tag);
  out.str("fill");
  const double drawn = chance_of(0xf111, tag, 0);
  const Bytes fill(static_cast<std::size_t>(drawn < 0.9 ? drawn * 200 : drawn * drawn * 4000),
                   static_cast<std::uint8_t>(tag));
  out.bin(fill);
  return out.take();
}

Tag tag_in(BytesView data) {
  MsgpackReader reader(data);
  const auto entries = reader.read_map();
  if (!entries || *entries != 2) return 0;
  const auto key = reader.read_string();
  if (!key || *key != "tag") return 0;
  return reader.read_uint().value_or(0);
}

// --- PublisherAgent --------------------------------------------------------------------------------------------------

PublisherAgent::PublisherAgent(World& world, LifeNo life, const PublisherPlan& plan, std::uint64_t seed)
    : world_(world), life_(life), plan_(plan), rng_(seed), number_(++world.publishers) {}

void PublisherAgent::start(AgentServices& services) {
  services_ = &services;
  services.agent_up();
  thread_ = std::thread([this] { run(); });
}

void PublisherAgent::stop(Duration) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PublisherAgent::run() {
  const double bursts_per_second = plan_.events_per_second / static_cast<double>(plan_.burst);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const double pause = -std::log(1.0 - rng_.uniform()) / bursts_per_second;
    const SteadyTime due = now() + Duration{static_cast<std::int64_t>(pause * 1e9)};
    if (wake_.wait_until(lock, as_point(due), [this] { return stopping_; })) return;
    for (std::size_t i = 0; i < plan_.burst && world_.publishing; ++i) publish_one();
  }
}

void PublisherAgent::publish_one() {
  const std::size_t type = plan_.types[rng_.below(plan_.types.size())];
  const TypePlan& policy = world_.plan.types[type];
  const Tag tag = make_tag(number_, ++count_);
  Event event;
  event.type = policy.type;
  event.data = data_of(tag);
  if (plan_.keys > 0) event.key = "k" + std::to_string(rng_.below(plan_.keys));
  // Noted first: the callbacks come from another thread, and may be earlier than the answer.
  const std::size_t noted = world_.history.attempted(
      {.tag = tag, .life = life_, .type = static_cast<std::uint16_t>(type), .key = event.key, .at = now()});
  History& history = world_.history;
  PublishOptions options;
  options.on_numbered = [&history, noted](const std::string& id) { history.numbered(noted, id, now()); };
  World& world = world_;
  if (plan_.wants_confirms && policy.durability == Durability::Confirmed) {
    history.publishings[noted].asked_for_confirm = true;
    options.on_confirmed = [&world, &history, noted](const Confirm& confirm) {
      if (confirm.status != Confirm::Status::Confirmed) return;
      history.numbered(noted, confirm.id, now());
      Publishing& told = history.publishings[noted];
      told.confirmed = now();
      told.copies = world.durable_copies(*told.place);
    };
  }
  history.publishings[noted].answer = services_->publish(event, std::move(options)).status;
}

// --- HandlerAgent ----------------------------------------------------------------------------------------------------

HandlerAgent::HandlerAgent(World& world, LifeNo life, const HandlerPlan& plan, std::size_t agent,
                           const std::vector<std::size_t>& subscriptions)
    : world_(world),
      life_(life),
      plan_(plan),
      agent_(agent),
      subscriptions_(subscriptions),
      number_(++world.publishers) {}

void HandlerAgent::start(AgentServices& services) {
  services_ = &services;
  services.agent_up();
  if (plan_.answers == Answers::Later) thread_ = std::thread([this] { run(); });
}

void HandlerAgent::stop(Duration) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void HandlerAgent::go_away(Duration how_long) {
  if (plan_.answers != Answers::Later || away_until_ || leaves_for_) return;
  leaves_for_ = how_long;
  leaves_by_ = now() + 3s;
  wake_.notify_all();
}

std::size_t HandlerAgent::note(const Delivery& delivery, std::size_t subscription, Tag tag) {
  const EventView& event = *delivery.event;
  const EventId id = event.id();
  History& history = world_.history;
  if (tag != 0) {
    const Publishing* told = history.published(tag);
    const Bytes expected = data_of(tag);
    const bool same = std::ranges::equal(event.data, expected);
    if (told == nullptr || !same || event.type != world_.plan.types[told->type].type || event.key != told->key) {
      history.oddities.push_back("what was handed over is not what was published: " + id.to_string());
    }
  }
  HandOver noted{.at = now(),
                 .life = life_,
                 .subscription = static_cast<std::uint32_t>(subscription),
                 .place = history.place_of(id),
                 .tag = tag,
                 .attempt = delivery.attempt,
                 .replayed = is_replayed(event.wire_type()),
                 .key = std::string(event.key)};
  const Publishing* told = tag != 0 ? history.published(tag) : nullptr;
  const bool is_held =
      told != nullptr && world_.plan.types[told->type].deliver == Deliver::AfterConfirm && !noted.replayed;
  if (is_held && told->asked_for_confirm && !told->confirmed) noted.copies = world_.durable_copies(noted.place);
  if (Kernel::get().traced()) {
    Kernel::get().trace(history.name_of(life_), "subscription " + std::to_string(subscription) + " handed " +
                                                    id.to_string() + " attempt " + std::to_string(delivery.attempt));
  }
  return history.handed(std::move(noted));
}

void HandlerAgent::maybe_die(Manner manner, std::size_t subscription, Tag tag) {
  if (world_.handlers_behave) return;
  std::uint32_t& kills = world_.kills[{subscription, tag}];
  if (manner == Manner::KillsOnce && kills > 0) return;
  ++kills;
  world_.die(life_);
}

Outcome HandlerAgent::outcome_of(Manner manner, std::size_t subscription, Tag tag, std::uint32_t attempt) {
  switch (manner) {
    case Manner::FailsFirst:
      return attempt <= failures_of(world_.plan, subscription, tag) ? Outcome::retry("not yet") : Outcome::done();
    case Manner::Poison:
      return world_.repaired.contains({subscription, tag}) ? Outcome::done() : Outcome::retry("poison");
    case Manner::Stops: return Outcome::stop();
    case Manner::Rejects:
      return world_.repaired.contains({subscription, tag}) ? Outcome::done() : Outcome::reject("not wanted");
    case Manner::Fine:
    case Manner::Slow:
    case Manner::Publishes:
    case Manner::Hangs:
    case Manner::Defers:
    case Manner::KillsOnce:
    case Manner::Kills: return Outcome::done();
  }
  return Outcome::done();
}

void HandlerAgent::publish_consequence(const EventView& event, Tag cause) {
  // Of a consequence there is none: they would multiply.
  if (const Publishing* told = world_.history.published(cause); told == nullptr || told->tag != cause) return;
  const Tag tag = make_tag(number_, ++count_);
  if (world_.history.published(cause)->key == "consequence") return;
  Event out;
  out.type = world_.plan.types[plan_.consequence].type;
  out.data = data_of(tag);
  out.key = "consequence";
  out.causation_id = event.id_string();
  const std::size_t noted = world_.history.attempted(
      {.tag = tag, .life = life_, .type = static_cast<std::uint16_t>(plan_.consequence), .key = out.key, .at = now()});
  History& history = world_.history;
  PublishOptions options;
  options.on_numbered = [&history, noted](const std::string& id) { history.numbered(noted, id, now()); };
  history.publishings[noted].answer = services_->publish(out, std::move(options)).status;
}

Outcome HandlerAgent::end(std::size_t hand_over, Outcome outcome) {
  Ending ending = Ending::Done;
  if (outcome.kind == OutcomeKind::Stop) ending = Ending::Stop;
  if (outcome.kind == OutcomeKind::Reject) ending = Ending::Reject;
  if (outcome.kind == OutcomeKind::Retry) ending = Ending::Retry;
  world_.history.ended(hand_over, ending, now());
  return outcome;
}

void HandlerAgent::answer_later(const Delivery& delivery, std::size_t hand_over, Outcome outcome, Duration after) {
  {
    const std::lock_guard lock(mutex_);
    later_.emplace(now() + after, Later{delivery.task, hand_over, std::move(outcome)});
  }
  wake_.notify_all();
}

std::optional<Outcome> HandlerAgent::deliver(const Delivery& delivery) {
  const std::size_t subscription = subscriptions_[delivery.subscription.value];
  const Tag tag = tag_in(delivery.event->data);
  const std::size_t noted = note(delivery, subscription, tag);
  if (away_until_) return std::nullopt;  // it was on its way when the agent went
  const Manner manner = tag == 0 ? Manner::Fine : manner_of(world_.plan, subscription, tag);
  if (manner == Manner::KillsOnce || manner == Manner::Kills) maybe_die(manner, subscription, tag);
  if (manner == Manner::Publishes) publish_consequence(*delivery.event, tag);
  Outcome outcome = outcome_of(manner, subscription, tag, delivery.attempt);
  const double drawn = chance_of(world_.plan.seed, subscription + 2001, tag);
  const Duration slow{static_cast<std::int64_t>(drawn * 80e6)};
  if (plan_.answers == Answers::AtOnce) {
    if (manner == Manner::Slow) Kernel::get().sleep(slow);
    return end(noted, std::move(outcome));
  }
  const bool hangs =
      manner == Manner::Hangs && !world_.repaired.contains({subscription, tag}) && !world_.handlers_behave;
  if (hangs) return std::nullopt;
  if (manner == Manner::Defers) {
    world_.history.hand_overs[noted].deferred = true;
    answer_later(delivery, noted, std::move(outcome),
                 Duration{static_cast<std::int64_t>(drawn * (world_.handlers_behave ? 20e6 : 500e6))});
    return Outcome::deferred();
  }
  if (manner != Manner::Slow && drawn < 0.5) return end(noted, std::move(outcome));
  answer_later(delivery, noted, std::move(outcome),
               manner == Manner::Slow ? slow : Duration{static_cast<std::int64_t>(drawn * 2e6)});
  return std::nullopt;
}

void HandlerAgent::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (leaves_for_ && (!later_.empty() || leaves_by_ <= now())) {
      const std::optional<Duration> leaves = std::exchange(leaves_for_, std::nullopt);
      later_.clear();
      away_until_ = now() + *leaves;
      world_.history.agents_away.push_back({life_, agent_, now()});
      Kernel::get().trace(world_.history.name_of(life_), plan_.name + " goes away");
      lock.unlock();
      services_->agent_down("went away");
      lock.lock();
    }
    if (away_until_ && *away_until_ <= now()) {
      away_until_.reset();
      lock.unlock();
      services_->agent_up();
      lock.lock();
    }
    if (!later_.empty() && later_.begin()->first <= now()) {
      const Later due = later_.extract(later_.begin()).mapped();
      lock.unlock();
      services_->complete(due.task, end(due.hand_over, due.outcome));
      lock.lock();
      continue;
    }
    std::optional<SteadyTime> until = away_until_;
    if (!later_.empty() && (!until || later_.begin()->first < *until)) until = later_.begin()->first;
    if (leaves_for_ && (!until || leaves_by_ < *until)) until = leaves_by_;
    if (stopping_) continue;
    if (until) {
      wake_.wait_until(lock, as_point(*until));
    } else {
      wake_.wait(lock);
    }
  }
}

}  // namespace legion::sim
