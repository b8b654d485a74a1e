#include <legion/runtime/dispatch_pool.hpp>

#include <legion/base/assert.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {

DispatchPool::DispatchPool(std::size_t workers, std::uint64_t seed) : dispatcher_(seed), worker_count_(workers) {}

DispatchPool::~DispatchPool() { stop(); }

AgentId DispatchPool::add_agent(AgentSpec spec, Agent* agent) {
  LEGION_ASSERT(workers_.empty());
  const AgentId id = dispatcher_.add_agent(std::move(spec));
  LEGION_ASSERT(id.value == agents_.size());
  agents_.push_back(agent);
  return id;
}

SubscriptionId DispatchPool::add_subscription(AgentId agent, SubscriptionSpec spec) {
  LEGION_ASSERT(workers_.empty());
  return dispatcher_.add_subscription(agent, std::move(spec));
}

void DispatchPool::start() {
  for (std::size_t i = 0; i < worker_count_; ++i) workers_.emplace_back([this] { work(); });
}

void DispatchPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

// Called with the lock held.
void DispatchPool::wake_workers() {
  if (sleeping_ == 0) return;
  const auto deadline = dispatcher_.next_deadline();
  const bool earlier = deadline && (!slept_for_ || *deadline < *slept_for_);
  if (earlier || dispatcher_.has_runnable()) wake_.notify_one();
}

void DispatchPool::offer(Now now, std::span<const EventPtr> events, StreamKey stream,
                         const std::function<std::span<const Route>(std::size_t)>& routes_of) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < events.size(); ++i) dispatcher_.on_event(now, events[i], stream, routes_of(i));
  wake_workers();
}

void DispatchPool::complete(TaskId task, Outcome outcome) {
  const Now now = read_clocks();
  const std::lock_guard lock(mutex_);
  dispatcher_.on_outcome(now, task, std::move(outcome));
  wake_workers();
}

void DispatchPool::agent_up(AgentId agent) {
  const Now now = read_clocks();
  const std::lock_guard lock(mutex_);
  dispatcher_.on_agent_up(now, agent);
  wake_workers();
}

void DispatchPool::agent_down(AgentId agent, std::string_view error) {
  const Now now = read_clocks();
  const std::lock_guard lock(mutex_);
  dispatcher_.on_agent_down(now, agent, error);
  wake_workers();
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

void DispatchPool::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Now now = read_clocks();
    const auto deadline = dispatcher_.next_deadline();
    if (deadline && *deadline <= now.steady) dispatcher_.on_tick(now);
    auto task = dispatcher_.next(now);
    if (task) {
      // A second worker may find work as well; it wakes the third, and so on.
      wake_workers();
      Agent* agent = agents_[task->agent.value];
      lock.unlock();
      agent->deliver({task->id, task->subscription, std::move(task->event), task->attempt});
      lock.lock();
      continue;
    }
    ++sleeping_;
    slept_for_ = dispatcher_.next_deadline();
    if (slept_for_) {
      wake_.wait_for(lock, std::max(Duration{0}, *slept_for_ - read_clocks().steady));
    } else {
      wake_.wait(lock);
    }
    --sleeping_;
    slept_for_.reset();  // whoever sleeps on has to be told of the deadline again
  }
}

}  // namespace legion
