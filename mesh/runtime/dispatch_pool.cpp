#include <legion/runtime/dispatch_pool.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/base/threads.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {

namespace {

// Events an agent that answers at once gets without the dispatcher being asked in between.
constexpr std::uint32_t run_events_max = 64;

// An agent whose handler is slow gives its worker back after this, because other agents may wait for one.
constexpr Duration run_length_max = 1ms;

constexpr Duration fast_handler = 1us;
constexpr std::size_t stretch_max = 8;

}  // namespace

DispatchPool::DispatchPool(std::size_t workers, std::uint64_t seed) : dispatcher_(seed), workers_(workers) {
  for (Worker& worker : workers_) worker.answered.reserve(run_events_max);
}

DispatchPool::~DispatchPool() { stop(); }

AgentId DispatchPool::add_agent(AgentSpec spec, Agent* agent) {
  const std::lock_guard lock(mutex_);
  if (agent->answers() == Agent::Answers::AtOnce) spec.run_events_max = run_events_max;
  const AgentId id = dispatcher_.add_agent(std::move(spec));
  LEGION_ASSERT(id.value == agents_.size());
  agents_.push_back(agent);
  return id;
}

SubscriptionId DispatchPool::add_subscription(AgentId agent, SubscriptionSpec spec, std::unique_ptr<DispatchChain> chain) {
  const std::lock_guard lock(mutex_);
  const SubscriptionId id = dispatcher_.add_subscription(agent, std::move(spec));
  LEGION_ASSERT(id.value == steps_.size());
  steps_.push_back(std::move(chain));
  return id;
}

void DispatchPool::start() {
  for (Worker& worker : workers_) worker.thread = std::thread([this, &worker] { work(worker); });
}

void DispatchPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Worker& worker : workers_) worker.yields.store(true, std::memory_order_relaxed);
  }
  wake_.notify_all();
  for (Worker& worker : workers_) {
    if (worker.thread.joinable()) worker.thread.join();
  }
}

// Called with the lock held, whenever there may be new work. The wake-up itself comes after the lock is given back, so
// that the woken worker does not run into it.
void DispatchPool::tell_reports() {
  if (!dispatcher_.has_durable_reports() || has_reports_.exchange(true, std::memory_order_acq_rel)) return;
  if (on_durable_reports) on_durable_reports();
}

DispatchPool::Wake DispatchPool::after_change() {
  for (Worker& worker : workers_) {
    if (!worker.run) continue;
    const auto urgent = dispatcher_.most_urgent(worker.run->agent);
    if (urgent && *urgent < worker.run->lane) worker.yields.store(true, std::memory_order_relaxed);
  }
  tell_reports();
  if (sleeping_ == 0) return Wake::Nobody;
  const auto deadline = dispatcher_.next_deadline();
  const bool earlier = deadline && (!slept_for_ || *deadline < *slept_for_);
  return earlier || dispatcher_.has_runnable() ? Wake::One : Wake::Nobody;
}

void DispatchPool::wake(Wake whom) {
  if (whom == Wake::One) wake_.notify_one();
}

void DispatchPool::offer(Now now, const FramePtr& frame, std::uint32_t first, StreamKey stream,
                         std::span<const Route> routes) {
  // What tiers, keys and runs there are changes on this thread only, so this needs no lock; decoding must not happen
  // under it.
  if (dispatcher_.needs_events(routes)) frame->events();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    dispatcher_.on_run(now, frame, first, frame->header().event_count - first, stream, routes);
    whom = after_change();
  }
  wake(whom);
}

void DispatchPool::offer_durable(Now now, const FramePtr& frame, std::uint32_t first, std::uint32_t count,
                                 std::span<const Route> routes, const std::optional<Earlier>& earlier) {
  if (earlier || dispatcher_.needs_events(routes)) frame->events();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    if (earlier) {
      dispatcher_.on_again(now, frame, first, routes, *earlier);
    } else {
      dispatcher_.on_run(now, frame, first, count, no_stream, routes);
    }
    whom = after_change();
  }
  wake(whom);
}

void DispatchPool::permit_retry(Now now, TaskId permit) {
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    dispatcher_.permit_retry(now, permit);
    whom = after_change();
  }
  wake(whom);
}

void DispatchPool::recall(Now now, SubscriptionId subscription, std::span<const StreamKey> streams) {
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    dispatcher_.recall(now, subscription, streams);
    whom = after_change();
  }
  wake(whom);
}

DurableReports DispatchPool::drain_durable() {
  const std::lock_guard lock(mutex_);
  has_reports_.store(false, std::memory_order_release);
  return dispatcher_.drain_durable();
}

void DispatchPool::complete(TaskId task, Outcome outcome) {
  const Now now = read_clocks();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    if (in_flight_) in_flight_->answered(task, outcome.kind);
    dispatcher_.on_outcome(now, task, std::move(outcome));
    whom = after_change();
  }
  wake(whom);
}

void DispatchPool::agent_up(AgentId agent) {
  const Now now = read_clocks();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    dispatcher_.on_agent_up(now, agent);
    whom = after_change();
  }
  wake(whom);
}

void DispatchPool::agent_down(AgentId agent, std::string_view error) { complete_and_down(agent, {}, error); }

// Called with the lock held.
void DispatchPool::take_down(Now now, AgentId agent, std::string_view error) {
  if (in_flight_) in_flight_->agent_down(agent);
  std::erase_if(runs_out_, [&](const auto& entry) {
    const RunOut& out = entry.second;
    if (out.task.agent != agent) return false;
    in_flight_->end_run(out.slot, out.task, 1, OutcomeKind::Retry);  // its first event was blamed
    return true;
  });
  dispatcher_.on_agent_down(now, agent, error);
  // Its run has gone back and may be handed to another worker: the one that has it stops after the event in hands.
  for (Worker& worker : workers_) {
    if (worker.run && worker.run->agent == agent) worker.yields.store(true, std::memory_order_relaxed);
  }
}

void DispatchPool::complete_and_down(AgentId agent, std::vector<RunReport> reports, std::string_view error) {
  const Now now = read_clocks();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    for (RunReport& report : reports) report_run(now, std::move(report));
    take_down(now, agent, error);
    whom = after_change();
  }
  wake(whom);
}

// Called with the lock held.
void DispatchPool::report_run(Now now, RunReport report) {
  if (const auto out = runs_out_.find(report.task); out != runs_out_.end()) {
    in_flight_->end_run(out->second.slot, out->second.task, report.answered.size(), report.last.kind);
    runs_out_.erase(out);
  }
  dispatcher_.on_answers(now, report.task, report.answered, std::move(report.last));
}

void DispatchPool::complete_run(RunReport report) {
  const Now now = read_clocks();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    report_run(now, std::move(report));
    whom = after_change();
  }
  wake(whom);
}

void DispatchPool::run_progress(TaskId task, std::uint32_t k) {
  const std::lock_guard lock(mutex_);
  if (const auto out = runs_out_.find(task); out != runs_out_.end()) in_flight_->advance(out->second.slot, k);
}

void DispatchPool::remove_agent(AgentId agent, std::string_view error) {
  const Now now = read_clocks();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    take_down(now, agent, error);
    dispatcher_.on_agent_removed(now, agent, error);
    whom = after_change();
  }
  wake(whom);
}

AgentId DispatchPool::agent_of(SubscriptionId subscription) const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.agent_of(subscription);
}

AgentState DispatchPool::state_of_agent(SubscriptionId subscription) const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.agent_state(dispatcher_.agent_of(subscription));
}

bool DispatchPool::waits_above(AgentId agent, Priority lane) const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.waits_above(agent, lane);
}

bool DispatchPool::drained() const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.drained();
}

void DispatchPool::close() {
  const Now now = read_clocks();
  const std::lock_guard lock(mutex_);
  dispatcher_.close(now);
}

std::vector<DeadLetter> DispatchPool::drain_letters() {
  const std::lock_guard lock(mutex_);
  return dispatcher_.drain_letters();
}

DispatcherStats DispatchPool::stats() const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.stats();
}

void DispatchPool::inspect(const std::function<void(const Dispatcher&)>& read) const {
  const std::lock_guard lock(mutex_);
  read(dispatcher_);
}

void DispatchPool::work(Worker& worker) {
  name_this_thread("legion-worker");
  std::unique_lock lock(mutex_);
  Now now = read_clocks();
  while (!stopping_) {
    const auto deadline = dispatcher_.next_deadline();
    if (deadline && *deadline <= now.steady) dispatcher_.on_tick(now);
    auto task = dispatcher_.next(now);
    if (task) {
      now = hand_over(worker, std::move(*task), lock);
    } else {
      wait_for_work(lock);
      now = read_clocks();
    }
  }
}

// Gives the lock back while the agent is at work. A second worker may find work as well; it wakes the third, and so on.
Now DispatchPool::hand_over(Worker& worker, Task task, std::unique_lock<std::mutex>& lock) {
  Agent& agent = *agents_[task.agent.value];
  const Steps steps = steps_[task.subscription.value];
  const bool at_once = agent.answers() == Agent::Answers::AtOnce;
  if (agent.answers() == Agent::Answers::LaterInRuns) return hand_over_run(agent, std::move(task), steps, lock);
  if (at_once) {
    worker.run = Run{task.agent, task.lane};
    worker.yields.store(false, std::memory_order_relaxed);
  }
  // Under the lock: whoever gives the slot back has to find it written.
  if (in_flight_ && at_once) worker.slot = in_flight_->begin_run(task);
  if (in_flight_ && !at_once) in_flight_->begin(task);
  const Wake whom = after_change();
  lock.unlock();
  wake(whom);
  if (!at_once) {
    auto outcome = handle_one(agent, task, steps);
    const Now now = read_clocks();
    lock.lock();
    if (outcome) {
      if (in_flight_) in_flight_->answered(task.id, outcome->kind);
      dispatcher_.on_outcome(now, task.id, std::move(*outcome));
    }
    return now;
  }
  Outcome last = handle_run(worker, agent, task, steps);
  const Now now = read_clocks();
  if (!worker.slot) task.frame.reset();  // if this was the last of it, its memory is given back outside the lock
  lock.lock();
  worker.run.reset();
  if (worker.slot) {
    in_flight_->end_run(*std::exchange(worker.slot, std::nullopt), task, worker.answered.size(), last.kind);
  }
  dispatcher_.on_answers(now, task.id, worker.answered, std::move(last));
  return now;
}

Now DispatchPool::hand_over_run(Agent& agent, Task task, const Steps& steps, std::unique_lock<std::mutex>& lock) {
  if (in_flight_) {
    if (const auto slot = in_flight_->begin_run(task)) runs_out_.insert_or_assign(task.id, RunOut{task, *slot});
  }
  const Wake whom = after_change();
  lock.unlock();
  wake(whom);
  auto first_ended = cut_before_misfit(task);
  if (!first_ended && steps) first_ended = cut_by_steps(*steps, task);
  if (first_ended) {
    complete_run({.task = task.id, .answered = {{.kind = first_ended->kind}}, .last = std::move(*first_ended)});
  } else {
    agent.deliver_run(std::move(task));
  }
  const Now now = read_clocks();
  lock.lock();
  return now;
}

/// A run ends before an event that does not fit what its type declares; that one is judged when it comes first.
std::optional<Outcome> DispatchPool::cut_before_misfit(Task& task) const {
  if (guard_ == nullptr) return std::nullopt;
  auto schemas = guard_->run_of(task.frame->header());
  if (!schemas.looks()) return std::nullopt;
  const std::vector<EventView>& events = task.frame->events();  // decoded here, if nobody has asked before
  const Now now = read_clocks();
  const auto is_for_handler = [&](std::uint32_t k) {
    return !fate_before_handling(events[task.first + k], now, task.where);
  };
  if (auto refusal = is_for_handler(0) ? schemas.refusal_of(events[task.first]) : std::nullopt) return refusal;
  for (std::uint32_t k = 1; k < task.count; ++k) {
    if (!schemas.lets_pass(events[task.first + k]) && is_for_handler(k)) task.count = k;
  }
  return std::nullopt;
}

/// A run ends before an event that the steps do not let pass; that one goes through them when it comes first, and is
/// counted then. What comes back untouched goes through them again, and what let it pass lets it pass again.
std::optional<Outcome> DispatchPool::cut_by_steps(const DispatchChain& steps, Task& task) const {
  const std::vector<EventView>& events = task.frame->events();
  const Now now = read_clocks();
  for (std::uint32_t k = 0; k < task.count; ++k) {
    if (fate_before_handling(events[task.first + k], now, task.where)) continue;  // the agent passes it over
    EventPtr event = task.event(k);
    DispatchChain::Passage passage;
    auto outcome = gone_through(steps, task, event, now, passage);
    if (outcome && k > 0) {
      task.count = k;
      return std::nullopt;
    }
    steps.count(passage);
    if (outcome) return outcome;
    if (event.get() == &events[task.first + k]) continue;
    task.changed.resize(k + 1);
    task.changed[k] = std::move(event);
  }
  return std::nullopt;
}

std::optional<Outcome> DispatchPool::handle_one(Agent& agent, const Task& task, const Steps& steps) const {
  EventPtr event = task.event();
  if (guard_ != nullptr) {
    if (auto refusal = guard_->run_of(task.frame->header()).refusal_of(*event)) return refusal;
  }
  if (steps) {
    if (auto outcome = gone_through(*steps, task, event, read_clocks())) return outcome;
  }
  return agent.deliver({task.id, task.subscription, std::move(event), task.attempt});
}

Outcome DispatchPool::handle_run(Worker& worker, Agent& agent, const Task& task, const Steps& steps) {
  const std::vector<EventView>& events = task.frame->events();  // decoded here, if nobody has asked before
  Delivery delivery{task.id, task.subscription, task.event(), task.attempt};
  Outcome outcome = Outcome::done();
  worker.answered.clear();
  Now now = read_clocks();
  const SteadyTime begin = now.steady;
  std::size_t timed = 0;  // answers whose time is known
  std::optional<SchemaGuard::Run> schemas;
  if (guard_ != nullptr) schemas = guard_->run_of(task.frame->header());
  worker.stretch = 1;     // what was fast last time may be slow now
  for (std::uint32_t k = 0; k < task.count; ++k) {
    if (k > 0 && (worker.yields.load(std::memory_order_relaxed) || now.steady - begin > run_length_max)) break;
    const EventView& event = events[task.first + k];
    if (event.expires_at) now = take_time(worker, timed, now);
    if (const auto fate = fate_before_handling(event, now, task.where)) {
      worker.answered.push_back({.kind = *fate});
      continue;
    }
    if (auto refusal = schemas ? schemas->refusal_of(event) : std::nullopt) {
      outcome = std::move(*refusal);
      worker.answered.push_back({.kind = outcome.kind});
      break;
    }
    if (worker.slot && k > 0) in_flight_->advance(*worker.slot, k);
    delivery.task = task_of(task, k);
    std::optional<Outcome> answer;
    if (steps) {
      delivery.event = task.event(k);
      answer = gone_through(*steps, task, delivery.event, now);
    } else {
      delivery.event = EventPtr(std::move(delivery.event), &event);  // the next event of the same frame, without counting
    }
    if (answer && !is_handled(answer->kind)) {
      worker.answered.push_back({.kind = answer->kind});
      if (answer->error.empty()) continue;
      outcome = std::move(*answer);  // whose text is told with the last one
      break;
    }
    if (!answer) answer = agent.deliver(delivery);
    outcome = answer ? std::move(*answer) : Outcome::retry("the handler promised an outcome and gave none");
    worker.answered.push_back({.kind = outcome.kind, .age = std::max(now.wall - event.time, Duration::zero())});
    if (worker.answered.size() - timed >= worker.stretch) now = take_time(worker, timed, now);
    if (outcome.kind != OutcomeKind::Done && outcome.kind != OutcomeKind::Stop) break;
  }
  take_time(worker, timed, now);
  return outcome;
}

// Reading the clock takes as long as a fast handler. So a stretch of up to eight events is timed together as long as
// they take less than a microsecond each, and each is counted with its share. An event that may expire is judged by a
// clock that was just read.
Now DispatchPool::take_time(Worker& worker, std::size_t& timed, Now since) {
  const std::size_t count = worker.answered.size() - timed;
  if (count == 0) return since;
  const SteadyTime done = read_steady_clock();
  const Duration took = done - since.steady;
  const Duration each = took / static_cast<std::int64_t>(count);
  for (Answered& answered : std::span(worker.answered).subspan(timed)) answered.handler_time = each;
  timed = worker.answered.size();
  worker.stretch = each < fast_handler ? std::min(worker.stretch * 2, stretch_max) : 1;
  return {done, since.wall + took};
}

// --- the in-flight file ------------------------------------------------------------------------------------------------

void DispatchPool::track(InFlightBook book) { in_flight_.emplace(std::move(book)); }

void DispatchPool::track_also(InFlightBook::Owner owner) {
  const std::lock_guard lock(mutex_);
  if (in_flight_) in_flight_->add_owner(std::move(owner));
}

void DispatchPool::forget_in_flight(const std::string& agent, const std::string& event, InFlightPath path) {
  const std::lock_guard lock(mutex_);
  if (in_flight_) in_flight_->over(agent, event, path);
}

void DispatchPool::wait_for_work(std::unique_lock<std::mutex>& lock) {
  tell_reports();
  ++sleeping_;
  slept_for_ = dispatcher_.next_deadline();
  if (slept_for_) {
    wake_.wait_for(lock, std::max(Duration{0}, *slept_for_ - read_steady_clock()));
  } else {
    wake_.wait(lock);
  }
  --sleeping_;
  slept_for_.reset();  // whoever sleeps on has to be told of the deadline again
}

}  // namespace legion
