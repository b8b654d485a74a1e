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
  LEGION_ASSERT(!started_);
  if (agent->answers() == Agent::Answers::AtOnce) spec.run_events_max = run_events_max;
  const AgentId id = dispatcher_.add_agent(std::move(spec));
  LEGION_ASSERT(id.value == agents_.size());
  agents_.push_back(agent);
  return id;
}

SubscriptionId DispatchPool::add_subscription(AgentId agent, SubscriptionSpec spec) {
  LEGION_ASSERT(!started_);
  return dispatcher_.add_subscription(agent, std::move(spec));
}

void DispatchPool::start() {
  started_ = true;
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
  // What tiers, keys and runs there are is fixed at the start, so this needs no lock; decoding must not happen under it.
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

void DispatchPool::agent_down(AgentId agent, std::string_view error) {
  const Now now = read_clocks();
  Wake whom = Wake::Nobody;
  {
    const std::lock_guard lock(mutex_);
    if (in_flight_) in_flight_->agent_down(agent);
    dispatcher_.on_agent_down(now, agent, error);
    // Its run has gone back and may be handed to another worker: the one that has it stops after the event in hands.
    for (Worker& worker : workers_) {
      if (worker.run && worker.run->agent == agent) worker.yields.store(true, std::memory_order_relaxed);
    }
    whom = after_change();
  }
  wake(whom);
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
  const bool at_once = agent.answers() == Agent::Answers::AtOnce;
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
    auto outcome = agent.deliver({task.id, task.subscription, task.event(), task.attempt});
    const Now now = read_clocks();
    lock.lock();
    if (outcome) {
      if (in_flight_) in_flight_->answered(task.id, outcome->kind);
      dispatcher_.on_outcome(now, task.id, std::move(*outcome));
    }
    return now;
  }
  Outcome last = handle_run(worker, task);
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

Outcome DispatchPool::handle_run(Worker& worker, const Task& task) {
  Agent& agent = *agents_[task.agent.value];
  const std::vector<EventView>& events = task.frame->events();  // decoded here, if nobody has asked before
  Delivery delivery{task.id, task.subscription, task.event(), task.attempt};
  Outcome outcome = Outcome::done();
  worker.answered.clear();
  Now now = read_clocks();
  const SteadyTime begin = now.steady;
  std::size_t timed = 0;  // answers whose time is known
  worker.stretch = 1;     // what was fast last time may be slow now
  for (std::uint32_t k = 0; k < task.count; ++k) {
    if (k > 0 && (worker.yields.load(std::memory_order_relaxed) || now.steady - begin > run_length_max)) break;
    const EventView& event = events[task.first + k];
    if (event.expires_at) now = take_time(worker, timed, now);
    if (const auto fate = fate_before_handling(event, now)) {
      worker.answered.push_back({.kind = *fate});
      continue;
    }
    if (worker.slot && k > 0) in_flight_->advance(*worker.slot, k);
    delivery.task = task_of(task, k);
    delivery.event = EventPtr(std::move(delivery.event), &event);  // the next event of the same frame, without counting
    auto answer = agent.deliver(delivery);
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
