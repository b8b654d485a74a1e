#include "random_world.hpp"

#include <algorithm>
#include <stdexcept>

#include "rig.hpp"

namespace legion::test {

namespace {

void require(bool holds, const std::string& rule) {
  if (!holds) throw std::logic_error(rule);
}

}  // namespace

RandomWorld::RandomWorld(std::uint64_t seed, Weather weather) : random_(seed), weather_(weather), dispatcher_(seed) {
  const bool calm = weather == Weather::Calm;
  const std::size_t agent_count = 1 + random_.below(4);
  for (std::size_t a = 0; a < agent_count; ++a) {
    AgentSpec spec;
    spec.name = "agent" + std::to_string(a);
    spec.concurrency = random_.chance(0.6) ? 1 : static_cast<std::uint32_t>(2 + random_.below(2));
    for (LaneSpec& lane : spec.lanes) {
      lane.capacity = calm ? 100'000 : 1 + random_.below(6);
      lane.overflow = random_.chance(0.5) ? Overflow::DropOldest : Overflow::DropNewest;
    }
    spec.retry.max_attempts = static_cast<std::uint32_t>(1 + random_.below(4));
    spec.retry.delay = Duration{random_.below(100)};
    spec.retry.jitter = 0.3;
    if (random_.chance(0.5)) spec.handler_timeout = Duration{20 + random_.below(100)};
    if (random_.chance(0.2)) spec.state = AgentState::Down;
    agents_.push_back(spec);
    up_.push_back(spec.state == AgentState::Up);
    dispatcher_.add_agent(spec);
  }
  const std::size_t subscription_count = 1 + random_.below(6);
  for (std::size_t s = 0; s < subscription_count; ++s) {
    agent_of_.push_back(static_cast<std::uint32_t>(random_.below(agent_count)));
    tier_of_.push_back(static_cast<Priority>(random_.below(4)));
    dispatcher_.add_subscription({agent_of_.back()}, {Filter{}, tier_of_.back()});
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
    const std::uint64_t stale = dispatcher_.stats().stale_outcomes;
    dispatcher_.on_outcome(now_, old_tasks_[random.below(old_tasks_.size())], Outcome::done());
    require(dispatcher_.stats().stale_outcomes == stale + 1, "an answer to a task that is over has to be stale");
  }
  check();
}

void RandomWorld::offer(Rng& random) {
  const auto number = static_cast<StreamKey>(random.below(streams_.size()));
  const Stream& stream = streams_[number];
  EventSpec spec{.stream = number, .sequence = offered_.size() + 1, .lane = stream.lane};
  Offered event;
  event.stream = number;
  if (random.chance(0.5)) spec.key = event.key = random.chance(0.5) ? "x" : "y";
  if (weather_ == Weather::Rough && random.chance(0.1)) {
    spec.expires_at = event.expires_at = now_.wall + Duration{random.below(100)};
  }
  if (weather_ == Weather::Rough && random.chance(0.05)) spec.defect = "broken";
  std::vector<Route> routes;
  for (const std::uint32_t id : stream.subscriptions) {
    const Booked booked = random.chance(0.9) ? Booked::Yes : Booked::No;
    routes.push_back({{id}, booked});
    Delivery& delivery = event.deliveries[id];
    delivery.booked = booked == Booked::Yes;
    delivery.over = !spec.defect.empty();
    if (tier_of_[id] == Priority::Critical) event.gates.insert(id);
    if (delivery.booked) ++published_[id];
  }
  std::ranges::shuffle(routes, random);
  offered_.push_back(std::move(event));
  dispatcher_.on_event(now_, make_event(spec), number, routes);
}

void RandomWorld::hand_over() {
  const bool was_runnable = dispatcher_.has_runnable();
  const bool retry_due = dispatcher_.next_deadline() && *dispatcher_.next_deadline() <= now_.steady;
  const auto task = dispatcher_.next(now_);
  require(!task || was_runnable || retry_due, "a task without has_runnable");
  const bool none_expires = std::ranges::none_of(offered_, [&](const Offered& event) { return has_expired(event); });
  require(task || !was_runnable || !none_expires, "has_runnable without a task");
  if (task) on_task(*task);
}

/// Who waits for whom: with concurrency 1 the stream, else the key; keyless events wait for nothing.
std::optional<RandomWorld::Domain> RandomWorld::domain_of(const Task& task, const Offered& event) const {
  if (agents_[task.agent.value].concurrency == 1) return Domain{task.agent.value, event.stream, ""};
  if (event.key.empty()) return std::nullopt;
  return Domain{task.agent.value, event.stream, event.key};
}

bool RandomWorld::is_in_hand(const DeliveryName& name) const {
  return std::ranges::any_of(running_, [&](const Running& running) {
    return DeliveryName{running.task.event->sequence, running.task.subscription.value} == name;
  });
}

void RandomWorld::on_task(const Task& task) {
  const std::uint32_t id = task.subscription.value;
  Offered& event = event_of(task);
  require(event.deliveries.contains(id), "handed over to a subscription without a route");
  Delivery& delivery = event.deliveries.at(id);
  require(agent_of_[id] == task.agent.value, "handed over for another agent");
  require(up_[task.agent.value], "handed over to an agent that is down");
  require(!delivery.over, "handed over after its end");
  require(task.lane == streams_[event.stream].lane, "wrong lane");
  require(!has_expired(event), "handed over after its expiry");
  require(task.event->defect.empty(), "an undecodable event was handed over");
  require(task.attempt == ++delivery.attempts, "attempts are not counted one by one");
  require(task.attempt <= agents_[task.agent.value].retry.max_attempts, "more than max_attempts");

  if (tier_of_[id] != Priority::Critical) require(event.gates == event.gates_done, "a gate leaked");

  if (const auto domain = domain_of(task, event)) {
    const DeliveryName holder{task.event->sequence, id};
    const auto open = open_.try_emplace(*domain, holder).first;
    Offered& earlier = offered_[open->second.first - 1];
    if (open->second != holder && has_expired(earlier) && !is_in_hand(open->second)) {
      // It expired instead of being handed over again.
      earlier.deliveries.at(open->second.second).over = true;
      open->second = holder;
    }
    require(open->second == holder, "overtook an unfinished event of its order domain");
    if (task.attempt == 1) {
      std::uint64_t& last = last_first_[{id, *domain}];
      require(task.event->sequence > last, "not in order of its stream");
      last = task.event->sequence;
    }
  }
  const auto in_hand = std::ranges::count_if(running_, [&](const Running& other) {
    return other.task.agent == task.agent && !other.deferred;
  });
  require(in_hand < agents_[task.agent.value].concurrency, "more in flight than concurrency");
  running_.push_back({task, now_.steady});
}

void RandomWorld::answer(Rng& random) {
  if (running_.empty()) return;
  const std::size_t chosen = random.below(running_.size());
  const std::uint64_t kind = random.below(weather_ == Weather::Calm ? 4 : 10);
  if (kind == 0) {
    finish(chosen, Outcome::retry("failed"));
  } else if (kind == 1) {
    dispatcher_.on_outcome(now_, running_[chosen].task.id, Outcome::deferred());
    running_[chosen].deferred = true;
  } else if (kind == 4) {
    finish(chosen, Outcome::stop());
  } else if (kind == 5) {
    finish(chosen, Outcome::reject("rejected"));
  } else {
    finish(chosen, Outcome::done());
  }
}

void RandomWorld::finish(std::size_t chosen, Outcome outcome) {
  const Running running = running_[chosen];
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(chosen));
  const std::uint32_t id = running.task.subscription.value;
  const bool counts = event_of(running.task).deliveries.at(id).booked;
  switch (outcome.kind) {
    case OutcomeKind::Retry: fail(running); break;
    case OutcomeKind::Done:
      if (tier_of_[id] == Priority::Critical) event_of(running.task).gates_done.insert(id);
      [[fallthrough]];
    case OutcomeKind::Stop:
      delivered_[id] += counts ? 1 : 0;
      over(running.task);
      break;
    case OutcomeKind::Reject:
      dead_[id] += counts ? 1 : 0;
      over(running.task);
      break;
    case OutcomeKind::Deferred: break;
  }
  old_tasks_.push_back(running.task.id);
  dispatcher_.on_outcome(now_, running.task.id, std::move(outcome));
}

void RandomWorld::over(const Task& task) {
  Delivery& delivery = event_of(task).deliveries.at(task.subscription.value);
  delivery.over = true;
  if (const auto domain = domain_of(task, event_of(task))) open_.erase(*domain);
}

void RandomWorld::fail(const Running& running) {
  if (running.task.attempt < agents_[running.task.agent.value].retry.max_attempts) return;
  const std::uint32_t id = running.task.subscription.value;
  dead_[id] += event_of(running.task).deliveries.at(id).booked ? 1 : 0;
  over(running.task);
}

void RandomWorld::go_down(std::uint32_t agent) {
  dispatcher_.on_agent_down(now_, {agent}, "gone");
  up_[agent] = false;
  std::erase_if(running_, [&](const Running& running) {
    if (running.task.agent.value != agent) return false;
    fail(running);
    old_tasks_.push_back(running.task.id);
    return true;
  });
}

void RandomWorld::pass(Duration time) {
  now_.steady = now_.steady + time;
  now_.wall = now_.wall + time;
  dispatcher_.on_tick(now_);
  std::erase_if(running_, [&](const Running& running) {
    const auto& timeout = agents_[running.task.agent.value].handler_timeout;
    if (running.deferred || !timeout || running.since + *timeout > now_.steady) return false;
    fail(running);
    old_tasks_.push_back(running.task.id);
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
      case DeathReason::Undecodable:
        require(letter.event->defect == letter.death.error, "undecodable without its defect");
        dead_[letter.subscription.value] += delivery.booked ? 1 : 0;
        break;
    }
  }
}

void RandomWorld::check_bounds() {
  const DispatcherStats stats = dispatcher_.stats();
  std::size_t held = 0;
  for (std::size_t a = 0; a < agents_.size(); ++a) {
    require(stats.agents[a].in_flight <= agents_[a].concurrency, "more in flight than concurrency");
    std::size_t bound = agents_[a].concurrency;
    std::size_t depth = stats.agents[a].in_flight;
    for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
      require(stats.agents[a].depth[lane] <= agents_[a].lanes[lane].capacity + agents_[a].concurrency, "lane too deep");
      depth += stats.agents[a].depth[lane];
      bound += agents_[a].lanes[lane].capacity;
    }
    require(depth <= bound, "an agent holds more than its capacities and its concurrency");
    held += depth;
  }
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
    while (!running_.empty()) finish(running_.size() - 1, Outcome::done());
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
