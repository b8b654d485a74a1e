#include <legion/api/memory_dispatch.hpp>

#include <algorithm>

#include <legion/base/threads.hpp>

namespace legion {

namespace {

// Short, because a run is not interrupted for something more urgent.
constexpr std::uint32_t run_events_max = 16;

}  // namespace

MemoryDispatch::MemoryDispatch(std::function<Now()> clock, std::uint64_t seed)
    : clock_(std::move(clock)), dispatcher_(seed) {}

MemoryDispatch::~MemoryDispatch() { stop(); }

AgentId MemoryDispatch::add_agent(AgentSpec spec, Agent* agent) {
  if (agent->answers() == Agent::Answers::AtOnce) spec.run_events_max = run_events_max;
  const std::lock_guard lock(mutex_);
  agents_.push_back(agent);
  return dispatcher_.add_agent(std::move(spec));
}

SubscriptionId MemoryDispatch::add_subscription(AgentId agent, SubscriptionSpec spec,
                                                std::unique_ptr<DispatchChain> chain) {
  const std::lock_guard lock(mutex_);
  steps_.push_back(std::move(chain));
  return dispatcher_.add_subscription(agent, std::move(spec));
}

void MemoryDispatch::changed() {
  if (auto letters = dispatcher_.drain_letters(); !letters.empty()) on_letters(std::move(letters));
  wake_.notify_one();
}

void MemoryDispatch::offer(const FramePtr& frame, StreamKey stream, std::span<const Route> routes) {
  frame->events();  // decoded outside the lock
  const std::lock_guard lock(mutex_);
  dispatcher_.on_run(clock_(), frame, 0, frame->header().event_count, stream, routes);
  changed();
}

void MemoryDispatch::complete(TaskId task, Outcome outcome) {
  const std::lock_guard lock(mutex_);
  dispatcher_.on_outcome(clock_(), task, std::move(outcome));
  changed();
}

void MemoryDispatch::agent_up(AgentId agent) {
  const std::lock_guard lock(mutex_);
  dispatcher_.on_agent_up(clock_(), agent);
  changed();
}

void MemoryDispatch::agent_down(AgentId agent, std::string_view error) {
  const std::lock_guard lock(mutex_);
  dispatcher_.on_agent_down(clock_(), agent, error);
  changed();
}

void MemoryDispatch::remove_agent(AgentId agent, std::string_view error) {
  const std::lock_guard lock(mutex_);
  dispatcher_.on_agent_down(clock_(), agent, error);
  dispatcher_.on_agent_removed(clock_(), agent, error);
  changed();
}

void MemoryDispatch::start(std::size_t workers) {
  for (std::size_t i = 0; i < workers; ++i) workers_.emplace_back([this] { work(); });
}

void MemoryDispatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

void MemoryDispatch::work() {
  name_this_thread("legion-worker");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    dispatcher_.on_tick(clock_());
    changed();
    if (hand_over_next(lock)) continue;
    const auto deadline = dispatcher_.next_deadline();
    if (deadline) {
      wake_.wait_for(lock, std::max(Duration{0}, *deadline - clock_().steady));
    } else {
      wake_.wait(lock);
    }
  }
}

bool MemoryDispatch::step() {
  std::unique_lock lock(mutex_);
  return hand_over_next(lock);
}

void MemoryDispatch::tick() {
  const std::lock_guard lock(mutex_);
  dispatcher_.on_tick(clock_());
  changed();
}

// A worker that found something wakes the next, for there may be more.
bool MemoryDispatch::hand_over_next(std::unique_lock<std::mutex>& lock) {
  const auto task = dispatcher_.next(clock_());
  if (!task) return false;
  wake_.notify_one();
  Agent& agent = *agents_[task->agent.value];
  const DispatchChain* const steps = steps_[task->subscription.value].get();  // stays until this ends
  lock.unlock();
  if (agent.answers() == Agent::Answers::AtOnce) {
    std::vector<Answered> answered;
    answered.reserve(task->count);
    Outcome last = handle_run(agent, *task, steps, answered);
    lock.lock();
    dispatcher_.on_answers(clock_(), task->id, answered, std::move(last));
  } else {
    EventPtr event = task->event();
    std::optional<Outcome> outcome;
    if (guard_ != nullptr) outcome = guard_->run_of(task->frame->header()).refusal_of(*event);
    if (!outcome && steps != nullptr) outcome = gone_through(*steps, *task, event, clock_());
    if (!outcome) outcome = agent.deliver({task->id, task->subscription, std::move(event), task->attempt});
    lock.lock();
    if (outcome) dispatcher_.on_outcome(clock_(), task->id, std::move(*outcome));
  }
  changed();
  return true;
}

Outcome MemoryDispatch::handle_run(Agent& agent, const Task& task, const DispatchChain* steps,
                                   std::vector<Answered>& answered) {
  Outcome outcome = Outcome::done();
  Now before = clock_();
  std::optional<SchemaGuard::Run> schemas;
  if (guard_ != nullptr) schemas = guard_->run_of(task.frame->header());
  for (std::uint32_t k = 0; k < task.count; ++k) {
    EventPtr event = task.event(k);
    if (const auto fate = fate_before_handling(*event, before, task.where)) {
      answered.push_back({.kind = *fate});
      continue;
    }
    if (auto refusal = schemas ? schemas->refusal_of(*event) : std::nullopt) {
      answered.push_back({.kind = refusal->kind});
      return std::move(*refusal);
    }
    auto answer = steps != nullptr ? gone_through(*steps, task, event, before) : std::nullopt;
    if (answer && !is_handled(answer->kind)) {
      answered.push_back({.kind = answer->kind});
      if (answer->error.empty()) continue;
      return std::move(*answer);  // whose text is told with the last one
    }
    if (!answer) answer = agent.deliver({task_of(task, k), task.subscription, event, task.attempt});
    const Now after = clock_();
    outcome = answer ? std::move(*answer) : Outcome::retry("the handler promised an outcome and gave none");
    answered.push_back({.kind = outcome.kind,
                        .age = std::max(before.wall - event->time, Duration::zero()),
                        .handler_time = after.steady - before.steady});
    if (outcome.kind != OutcomeKind::Done && outcome.kind != OutcomeKind::Stop) break;
    before = after;
  }
  return outcome;
}

std::optional<SteadyTime> MemoryDispatch::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.next_deadline();
}

bool MemoryDispatch::drained() const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.drained();
}

void MemoryDispatch::close() {
  const std::lock_guard lock(mutex_);
  dispatcher_.close(clock_());
}

DispatcherStats MemoryDispatch::stats() const {
  const std::lock_guard lock(mutex_);
  return dispatcher_.stats();
}

}  // namespace legion
