#include "random_world.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace legion::test {

namespace {

void require(bool holds, const std::string& rule) {
  if (!holds) throw std::logic_error(rule);
}

/// A condition, and what the checkers know of it.
struct Condition {
  const char* text;
  bool (*holds)(const EventSpec& event);
};
constexpr std::array<Condition, 4> conditions{{
    {"key == 'x'", [](const EventSpec& event) { return event.key == "x"; }},
    {"not key == 'x'", [](const EventSpec& event) { return event.key != "x"; }},
    {"exists(key)", [](const EventSpec& event) { return !event.key.empty(); }},
    {"data is not null", [](const EventSpec&) { return false; }},
}};

}  // namespace

RandomWorld::RandomWorld(std::uint64_t seed, Weather weather) : random_(seed), weather_(weather), dispatcher_(seed) {
  const bool calm = weather == Weather::Calm;
  const std::size_t agent_count = 1 + random_.below(4);
  for (std::size_t a = 0; a < agent_count; ++a) {
    AgentSpec spec;
    spec.name = "agent" + std::to_string(a);
    spec.concurrency = random_.chance(0.6) ? 1 : static_cast<std::uint32_t>(2 + random_.below(2));
    for (LaneSpec& lane : spec.lanes) {
      lane.capacity = calm ? 100'000 : 1 + random_.below(random_.chance(0.5) ? 6 : 60);
      lane.overflow = random_.chance(0.5) ? Overflow::DropOldest : Overflow::DropNewest;
    }
    spec.retry.max_attempts = static_cast<std::uint32_t>(1 + random_.below(4));
    spec.retry.delay = Duration{random_.below(100)};
    spec.retry.jitter = 0.3;
    static constexpr std::array<std::uint32_t, 3> run_lengths{1, 4, 32};
    spec.run_events_max = run_lengths[random_.below(run_lengths.size())];
    if (random_.chance(0.3)) spec.handler_timeout = Duration{20 + random_.below(100)};
    if (random_.chance(0.2)) spec.state = AgentState::Down;
    agents_.push_back(spec);
    up_.push_back(spec.state == AgentState::Up);
    dispatcher_.add_agent(spec);
  }
  const std::size_t subscription_count = 1 + random_.below(6);
  for (std::size_t s = 0; s < subscription_count; ++s) {
    agent_of_.push_back(static_cast<std::uint32_t>(random_.below(agent_count)));
    tier_of_.push_back(static_cast<Priority>(random_.below(4)));
    condition_of_.push_back(random_.chance(0.4) ? std::optional(random_.below(conditions.size())) : std::nullopt);
    SubscriptionSpec spec{Filter{}, tier_of_.back()};
    if (const auto& one = condition_of_.back()) spec.where = Where::parse(conditions[*one].text).value();
    dispatcher_.add_subscription({agent_of_.back()}, std::move(spec));
  }
  for (std::size_t s = 0, count = 1 + random_.below(4); s < count; ++s) {
    Stream stream{static_cast<Priority>(random_.below(4)), {}};
    for (std::uint32_t id = 0; id < subscription_count; ++id) {
      if (random_.chance(0.7)) stream.subscriptions.push_back(id);
    }
    streams_.push_back(stream);
  }
  published_.resize(subscription_count);
  delivered_.resize(subscription_count);
  dead_.resize(subscription_count);
  unwanted_.resize(subscription_count);
}

/// What does not decode is nobody's to judge.
bool RandomWorld::is_wanted(std::uint32_t subscription, const EventSpec& event) const {
  const auto& one = condition_of_[subscription];
  return !one || event.bytes == broken || conditions[*one].holds(event);
}

void RandomWorld::step(std::uint64_t choice) {
  Rng random(choice);
  const std::uint64_t action = random.below(100);
  if (action < 28) {
    offer(random);
  } else if (action < 58) {
    hand_over();
  } else if (action < 84) {
    answer(random);
  } else if (action < 93) {
    pass(Duration{random.below(60)});
  } else if (action < 95) {
    go_down(static_cast<std::uint32_t>(random.below(agents_.size())));
  } else if (action < 98) {
    const auto agent = static_cast<std::uint32_t>(random.below(agents_.size()));
    dispatcher_.on_agent_up(now_, {agent});
    up_[agent] = true;
  } else if (!old_tasks_.empty()) {
    answer_stale(random);
  }
  check();
}

void RandomWorld::answer_stale(Rng& random) {
  const std::uint64_t stale = dispatcher_.stats().stale_outcomes;
  const TaskId task = old_tasks_[random.below(old_tasks_.size())];
  if (random.chance(0.5)) {
    dispatcher_.on_outcome(now_, task, Outcome::done());
  } else {
    const Answered done = answered(OutcomeKind::Done);
    dispatcher_.on_answers(now_, task, {&done, 1}, Outcome::done());
  }
  require(dispatcher_.stats().stale_outcomes == stale + 1, "an answer to a task that is over has to be stale");
}

EventSpec RandomWorld::draw_event(Rng& random, StreamKey stream) const {
  EventSpec spec{.stream = stream, .lane = streams_[stream].lane};
  if (random.chance(0.5)) spec.key = random.chance(0.5) ? "x" : "y";
  if (weather_ == Weather::Calm) return spec;
  if (random.chance(0.1)) spec.expires_at = now_.wall + Duration{random.below(100)};
  if (random.chance(0.05)) spec.bytes = broken;
  return spec;
}

std::uint64_t RandomWorld::draw_baseline(Rng& random, std::uint64_t first, std::uint64_t count) const {
  if (random.chance(0.8)) return 0;
  return first + random.below(count + 1);
}

/// A run, as the whole of its frame or behind events that are of no interest.
void RandomWorld::offer(Rng& random) {
  const auto number = static_cast<StreamKey>(random.below(streams_.size()));
  const Stream& stream = streams_[number];
  const std::uint64_t count = random.chance(0.4) ? 1 : 1 + random.below(random.chance(0.3) ? 50 : 8);
  const std::uint64_t skipped = std::min<std::uint64_t>(offered_.size(), random.chance(0.3) ? random.below(3) : 0);
  const std::uint64_t first = offered_.size() + 1;
  std::vector<EventSpec> specs;
  for (std::uint64_t n = 0; n < skipped + count; ++n) specs.push_back(draw_event(random, number));
  specs.front().sequence = first - skipped;
  std::vector<Route> routes;
  for (const std::uint32_t id : stream.subscriptions) routes.push_back({{id}, draw_baseline(random, first, count)});
  for (std::uint64_t n = 0; n < count; ++n) {
    Offered event;
    event.stream = number;
    event.spec = specs[skipped + n];
    for (const Route& route : routes) {
      const std::uint32_t id = route.subscription.value;
      Delivery& delivery = event.deliveries[id];
      delivery.booked = first + n >= route.booked_from;
      const bool wanted = is_wanted(id, event.spec);
      if (tier_of_[id] == Priority::Critical && wanted) event.gates.insert(id);
      if (delivery.booked) ++published_[id];
      if (delivery.booked && !wanted) ++unwanted_[id];
    }
    offered_.push_back(std::move(event));
  }
  std::ranges::shuffle(routes, random);
  dispatcher_.on_run(now_, make_frame(specs), static_cast<std::uint32_t>(skipped), static_cast<std::uint32_t>(count),
                     number, routes);
}

void RandomWorld::hand_over() {
  const bool was_runnable = dispatcher_.has_runnable();
  const bool retry_due = dispatcher_.next_deadline() && *dispatcher_.next_deadline() <= now_.steady;
  const auto task = dispatcher_.next(now_);
  require(!task || was_runnable || retry_due, "a task without has_runnable");
  const bool may_end = std::ranges::any_of(
      offered_, [&](const Offered& event) { return has_expired(event) || event.spec.bytes == broken; });
  require(task || !was_runnable || may_end, "has_runnable without a task");
  if (task) on_task(*task);
}

/// Who waits for whom: with concurrency 1 the stream, else the key; keyless events wait for nothing.
std::optional<RandomWorld::Domain> RandomWorld::domain_of(const Task& task, const Offered& event) const {
  if (agents_[task.agent.value].concurrency == 1) return Domain{task.agent.value, event.stream, ""};
  if (event.spec.key.empty()) return std::nullopt;
  return Domain{task.agent.value, event.stream, event.spec.key};
}

bool RandomWorld::gets_runs(AgentId agent) const {
  const AgentSpec& spec = agents_[agent.value];
  return spec.run_events_max > 1 && spec.concurrency == 1 && !spec.handler_timeout;
}

bool RandomWorld::is_in_hand(const DeliveryName& name) const {
  return std::ranges::any_of(running_, [&](const Running& running) {
    const Task& task = running.task;
    return task.subscription.value == name.second && name.first >= task.sequence() &&
           name.first < task.sequence() + task.count;
  });
}

RandomWorld::Delivery& RandomWorld::delivery_of(const Task& task, std::uint32_t k) {
  Offered& event = event_of(task, k);
  require(event.deliveries.contains(task.subscription.value), "handed over to a subscription without a route");
  return event.deliveries.at(task.subscription.value);
}

void RandomWorld::on_task(const Task& task) {
  const std::uint32_t id = task.subscription.value;
  require(agent_of_[id] == task.agent.value, "handed over for another agent");
  require(up_[task.agent.value], "handed over to an agent that is down");
  require(task.count >= 1 && task.count <= (gets_runs(task.agent) ? agents_[task.agent.value].run_events_max : 1),
          "a run that is too long");
  require(task.count == 1 || task.attempt == 1, "a run of something that failed before");
  for (std::uint32_t k = 0; k < task.count; ++k) {
    const Offered& event = event_of(task, k);
    const Delivery& delivery = delivery_of(task, k);
    require(!delivery.over, "handed over after its end");
    require(!is_in_hand({task.sequence(k), id}), "handed over twice");
    require(event.stream == event_of(task, 0).stream, "a run over two streams");
    require(task.lane == streams_[event.stream].lane, "wrong lane");
    require(task.attempt == delivery.attempts + 1, "attempts are not counted one by one");
    require(gets_runs(task.agent) || is_wanted(id, event.spec), "handed over what its condition says no to");
    require(gets_runs(task.agent) || !task.where, "a condition left for who gets no runs");
    require(tier_of_[id] == Priority::Critical || event.gates == event.gates_done, "a gate leaked");
  }
  const auto in_hand = std::ranges::count_if(running_, [&](const Running& other) {
    return other.task.agent == task.agent && !other.deferred;
  });
  require(in_hand < agents_[task.agent.value].concurrency, "more in flight than concurrency");
  if (!gets_runs(task.agent)) on_given(task, 0);
  running_.push_back({task, now_.steady});
}

/// The handler gets this event.
void RandomWorld::on_given(const Task& task, std::uint32_t k) {
  const std::uint32_t id = task.subscription.value;
  Offered& event = event_of(task, k);
  Delivery& delivery = delivery_of(task, k);
  require(++delivery.attempts <= agents_[task.agent.value].retry.max_attempts, "more than max_attempts");
  if (!gets_runs(task.agent)) {
    require(!has_expired(event), "handed over after its expiry");
    require(event.spec.bytes != broken, "an undecodable event was handed over");
  }
  const auto domain = domain_of(task, event);
  if (!domain) return;
  const DeliveryName holder{task.sequence(k), id};
  const auto open = open_.try_emplace(*domain, holder).first;
  Offered& earlier = offered_[open->second.first - 1];
  if (open->second != holder && has_expired(earlier) && !is_in_hand(open->second)) {
    // It expired instead of being handed over again.
    earlier.deliveries.at(open->second.second).over = true;
    open->second = holder;
  }
  require(open->second == holder, "overtook an unfinished event of its order domain");
  if (delivery.attempts > 1) return;
  std::uint64_t& last = last_first_[{id, *domain}];
  require(task.sequence(k) > last, "not in order of its stream");
  last = task.sequence(k);
}

void RandomWorld::answer(Rng& random) {
  if (running_.empty()) return;
  const std::size_t chosen = random.below(running_.size());
  const Running& running = running_[chosen];
  if (gets_runs(running.task.agent) && !running.deferred) return report(chosen, &random);
  OutcomeKind kind = draw_kind(&random);
  if (running.deferred && kind == OutcomeKind::Unfit) kind = OutcomeKind::Reject;  // what was deferred was given
  if (kind == OutcomeKind::Deferred) {
    dispatcher_.on_outcome(now_, running.task.id, Outcome::deferred());
    running_[chosen].deferred = true;
  } else {
    finish(chosen, {kind, "failed"});
  }
}

OutcomeKind RandomWorld::draw_kind(Rng* random) const {
  if (random == nullptr) return OutcomeKind::Done;
  switch (random->below(weather_ == Weather::Calm ? 4 : 10)) {
    case 0: return OutcomeKind::Retry;
    case 1: return OutcomeKind::Deferred;
    case 4: return OutcomeKind::Stop;
    case 5: return OutcomeKind::Reject;
    case 6: return OutcomeKind::Unfit;
    default: return OutcomeKind::Done;
  }
}

void RandomWorld::finish(std::size_t chosen, Outcome outcome) {
  const Running running = running_[chosen];
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(chosen));
  on_ended(running.task, 0, outcome.kind);
  old_tasks_.push_back(running.task.id);
  dispatcher_.on_outcome(now_, running.task.id, std::move(outcome));
}

/// What a worker does with a run: each event in turn, until one is not simply done or something calls it away. Without
/// `random` everything is done.
void RandomWorld::report(std::size_t chosen, Rng* random) {
  const Task task = running_[chosen].task;
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(chosen));
  std::uint32_t most = task.count;
  if (random != nullptr && random->chance(0.3)) most = static_cast<std::uint32_t>(random->below(task.count + 1));
  std::vector<Answered> answers;
  OutcomeKind kind = OutcomeKind::Done;
  while (answers.size() < most && (kind == OutcomeKind::Done || kind == OutcomeKind::Stop ||
                                   kind == OutcomeKind::Expired || kind == OutcomeKind::Undecodable ||
                                   kind == OutcomeKind::FilteredWhere)) {
    const auto k = static_cast<std::uint32_t>(answers.size());
    const auto fate = fate_before_handling(*task.event(k), now_, task.where);
    require((fate == OutcomeKind::FilteredWhere) == !is_wanted(task.subscription.value, event_of(task, k).spec),
            "the task's condition is not that of its subscription");
    kind = fate ? *fate : random != nullptr && random->chance(0.7) ? OutcomeKind::Done : draw_kind(random);
    if (!fate) on_given(task, k);
    on_ended(task, k, kind);
    answers.push_back(answered(kind));
  }
  const bool is_deferred = kind == OutcomeKind::Deferred;
  const auto last = static_cast<std::uint32_t>(answers.size() - (is_deferred ? 1 : 0));
  const bool is_early = is_deferred && random->chance(0.3);
  for (std::uint32_t k = 0; k < task.count; ++k) {
    if (!is_deferred || k != last || is_early) old_tasks_.push_back(task_of(task, k));
  }
  if (is_early) {
    // The agent is done with it before the worker says that it was deferred.
    dispatcher_.on_outcome(now_, task_of(task, last), Outcome::done());
    on_ended(task, last, OutcomeKind::Done);
  } else if (is_deferred) {
    Task alone = task;
    alone.id = task_of(task, last);
    alone.first += last;
    alone.count = 1;
    running_.push_back({alone, now_.steady, true});
  }
  dispatcher_.on_answers(now_, task.id, answers, {kind, "failed"});
}

void RandomWorld::on_ended(const Task& task, std::uint32_t k, OutcomeKind kind) {
  const std::uint32_t id = task.subscription.value;
  Offered& event = event_of(task, k);
  Delivery& delivery = delivery_of(task, k);
  const std::uint64_t counts = delivery.booked ? 1 : 0;
  switch (kind) {
    case OutcomeKind::Deferred: return;
    case OutcomeKind::Retry:
      if (delivery.attempts < agents_[task.agent.value].retry.max_attempts) return;
      dead_[id] += counts;
      break;
    case OutcomeKind::Done:
      if (tier_of_[id] == Priority::Critical) event.gates_done.insert(id);
      [[fallthrough]];
    case OutcomeKind::Stop: delivered_[id] += counts; break;
    case OutcomeKind::Reject: dead_[id] += counts; break;
    case OutcomeKind::Expired: break;
    case OutcomeKind::Undecodable: break;  // counted with its letter
    case OutcomeKind::Unfit:  // the same, and it was not given to the handler after all
    case OutcomeKind::UnknownVersion: --delivery.attempts; break;
    case OutcomeKind::FilteredWhere: break;
    case OutcomeKind::FilteredDuplicate:
    case OutcomeKind::FilteredLimited: require(false, "filtered by what is not there");
  }
  delivery.over = true;
  const auto domain = domain_of(task, event);
  const DeliveryName name{task.sequence(k), id};
  if (domain && open_.contains(*domain) && open_.at(*domain) == name) open_.erase(*domain);
}

/// Every answer to it will be stale.
void RandomWorld::forget(const Task& task) {
  for (std::uint32_t k = 0; k < task.count; ++k) old_tasks_.push_back(task_of(task, k));
}

/// Of a run only the first event has used an attempt.
void RandomWorld::go_down(std::uint32_t agent) {
  dispatcher_.on_agent_down(now_, {agent}, "gone");
  up_[agent] = false;
  std::vector<Running> gone;
  std::erase_if(running_, [&](const Running& running) {
    if (running.task.agent.value != agent) return false;
    gone.push_back(running);
    return true;
  });
  for (const Running& running : gone) {
    if (gets_runs(running.task.agent) && !running.deferred) on_given(running.task, 0);
    on_ended(running.task, 0, OutcomeKind::Retry);
    forget(running.task);
  }
}

void RandomWorld::pass(Duration time) {
  now_.steady = now_.steady + time;
  now_.wall = now_.wall + time;
  dispatcher_.on_tick(now_);
  std::erase_if(running_, [&](const Running& running) {
    const auto& timeout = agents_[running.task.agent.value].handler_timeout;
    if (running.deferred || !timeout || running.since + *timeout > now_.steady) return false;
    on_ended(running.task, 0, OutcomeKind::Retry);
    forget(running.task);
    return true;
  });
}

void RandomWorld::check() {
  const auto fault = dispatcher_.check_conservation();
  require(!fault, fault.value_or(""));
  check_letters();
  for (std::uint32_t id = 0; id < agent_of_.size(); ++id) {
    const Books books = dispatcher_.books({id});
    require(books.published == published_[id], "published is not what was offered");
    require(books.balance() == 0, "books out of balance");
    require(books.delivered == delivered_[id], "delivered is not what was answered done");
    require(books.dead == dead_[id], "dead is not what was rejected, exhausted or undecodable");
    require(books.filtered.where <= unwanted_[id], "filtered what its condition says yes to");
    require(books.filtered.duplicate + books.filtered.limited == 0, "filtered by what is not there");
    if (weather_ == Weather::Calm) require(books.lost_total() == 0, "lost without a reason");
  }
  if (++steps_ % 16 == 0) check_bounds();
}

/// Exhausted and rejected deliveries are known to the checkers; the others are learnt from their letters.
void RandomWorld::check_letters() {
  for (const DeadLetter& letter : dispatcher_.drain_letters()) {
    Offered& event = offered_[letter.event->sequence - 1];
    Delivery& delivery = event.deliveries.at(letter.subscription.value);
    require((letter.booked == Booked::Yes) == delivery.booked, "a letter with the wrong mark");
    require(letter.death.attempts == delivery.attempts, "a letter with the wrong number of attempts");
    switch (letter.death.reason) {
      case DeathReason::HandlerError:
        require(delivery.over, "dead before its last attempt failed");
        require(letter.death.attempts == agents_[letter.agent.value].retry.max_attempts, "not exactly max_attempts");
        break;
      case DeathReason::Rejected: require(delivery.over, "a letter for an event nobody rejected"); break;
      case DeathReason::GateFailed:
        require(!delivery.over && event.gates != event.gates_done, "gate_failed with every gate done");
        delivery.over = true;
        dead_[letter.subscription.value] += delivery.booked ? 1 : 0;
        break;
      case DeathReason::Expired: require(false, "a letter for a plain event that expired"); break;
      case DeathReason::Undecodable:
        require(letter.event->defect == letter.death.error, "undecodable without its defect");
        delivery.over = true;
        dead_[letter.subscription.value] += delivery.booked ? 1 : 0;
        break;
      case DeathReason::Schema:
      case DeathReason::UnknownVersion:
        require(letter.death.error == "failed", "data that was refused without the reason");
        delivery.over = true;
        dead_[letter.subscription.value] += delivery.booked ? 1 : 0;
        break;
    }
  }
}

void RandomWorld::check_bounds() {
  const DispatcherStats stats = dispatcher_.stats();
  std::size_t held = 0;
  std::array<std::uint64_t, limits::lane_count> depths{};
  for (std::size_t a = 0; a < agents_.size(); ++a) {
    const AgentSpec& spec = agents_[a];
    // What is in flight may come back to a lane that has filled up meanwhile.
    const AgentId id{static_cast<std::uint32_t>(a)};
    const std::size_t may_return = gets_runs(id) ? spec.run_events_max : spec.concurrency;
    require(stats.agents[a].in_flight <= may_return, "more in flight than concurrency or one run");
    held += stats.agents[a].in_flight;
    for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
      require(stats.agents[a].depth[lane] <= spec.lanes[lane].capacity + may_return, "lane too deep");
      depths[lane] += stats.agents[a].depth[lane];
      held += stats.agents[a].depth[lane];
    }
  }
  require(depths == dispatcher_.lane_depths(), "lane depths are not those of the agents");
  // Whatever waits for an earlier tier waits for something that is held.
  require(stats.waiting_for_earlier_tier <= held * tier_of_.size(), "more waits than what is held can explain");
}

void RandomWorld::settle() {
  for (std::uint32_t agent = 0; agent < agents_.size(); ++agent) {
    dispatcher_.on_agent_up(now_, {agent});
    up_[agent] = true;
  }
  for (std::size_t rounds = 0; !dispatcher_.drained(); ++rounds) {
    require(rounds < 100 + 20 * offered_.size(), "something is stuck");
    hand_over();
    while (!running_.empty()) {
      const Running& last = running_.back();
      const bool is_run = gets_runs(last.task.agent) && !last.deferred;
      is_run ? report(running_.size() - 1, nullptr) : finish(running_.size() - 1, Outcome::done());
    }
    if (!dispatcher_.has_runnable() && dispatcher_.next_deadline()) pass(Duration{1000});
    check();
  }
  const DispatcherStats stats = dispatcher_.stats();
  for (const LaneStats& lane : stats.lanes) require(lane.depth == 0, "depth without events");
  for (const HandlerStats& handler : stats.handlers) {
    require(handler.in_flight == 0 && handler.books.pending == 0, "pending at the end");
  }
  require(stats.waiting_for_earlier_tier == 0, "waiting at the end");
}

}  // namespace legion::test
