#include "kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <cxxabi.h>

#include "kernel_state.hpp"

namespace legion::sim {

namespace {

/// What it costs to go on with a thread: with nothing at all, threads that wake each other would stop time.
constexpr Duration dispatch_cost{150};

void mix(std::uint64_t& digest, std::uint64_t value) {
  digest ^= value + 0x9e3779b97f4a7c15u + (digest << 6) + (digest >> 2);
}

void fiber_entry(void* argument) {
  auto* fiber = static_cast<Fiber*>(argument);
  machine().end_running(fiber->body());
}

}  // namespace

constinit Machine* the_machine = nullptr;

Machine& make_machine() {
  the_machine = new Machine;
  return *the_machine;
}

void Machine::push_event(SteadyTime at, Fiber* fiber, std::uint64_t wait) {
  events.push_back({at.ns, ++orders, fiber, wait});
  std::ranges::push_heap(events, std::greater<>{});
}

Fiber& Machine::begin_fiber(Process* process, std::function<void*()> body) {
  std::unique_ptr<Fiber> fresh;
  if (retired.empty()) {
    fresh = std::make_unique<Fiber>();
  } else {
    fresh = std::move(retired.back());
    retired.pop_back();
    *fresh = Fiber{};
  }
  Fiber& fiber = *fresh;
  fibers.push_back(std::move(fresh));
  fiber.number = ++orders;
  fiber.wait = ++orders;
  fiber.process = process;
  fiber.body = std::move(body);
  fiber.stack = allocate_stack();
  fiber.stack_pointer = prepare_stack(fiber.stack, &fiber_entry, &fiber);
  ready.push_back(&fiber);
  return fiber;
}

void Machine::make_ready(Fiber& fiber) {
  if (fiber.state != Fiber::State::Waiting) return;
  fiber.state = Fiber::State::Ready;
  fiber.wait = ++orders;  // no timer of an earlier wait, nor of an earlier thread in the same memory, knows this number
  ready.push_back(&fiber);
}

bool Machine::wait_in(WaitList& list, std::optional<SteadyTime> deadline) {
  Fiber& self = *running;
  if (deadline && *deadline <= now) return false;
  list.push(self);
  self.timed_out = false;
  if (deadline) push_event(*deadline, &self, self.wait);
  self.state = Fiber::State::Waiting;
  switch_out();
  return !self.timed_out;
}

void Machine::wake_one(WaitList& list) {
  if (Fiber* fiber = list.pop()) make_ready(*fiber);
}

void Machine::wake_all(WaitList& list) {
  while (!list.empty()) wake_one(list);
}

void Machine::switch_out() {
  Fiber& self = *running;
  self.error_number = errno;
  std::memcpy(self.exceptions, abi::__cxa_get_globals(), sizeof self.exceptions);
  running = nullptr;
  std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), scheduler_exceptions, sizeof scheduler_exceptions);
  legion_sim_switch(&self.stack_pointer, scheduler_stack);
}

void Machine::switch_to(Fiber& fiber) {
  fiber.state = Fiber::State::Running;
  running = &fiber;
  std::memcpy(scheduler_exceptions, abi::__cxa_get_globals(), sizeof scheduler_exceptions);
  std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), fiber.exceptions, sizeof fiber.exceptions);
  errno = fiber.error_number;
  legion_sim_switch(&scheduler_stack, fiber.stack_pointer);
}

void Machine::end_running(void* result) {
  Fiber& self = *running;
  self.result = result;
  self.state = Fiber::State::Done;
  self.body = nullptr;
  wake_all(self.joiners);
  switch_out();
  std::abort();
}

FileHooks& file_hooks() {
  static FileHooks hooks;
  return hooks;
}

Kernel& Kernel::get() {
  static Kernel kernel;
  return kernel;
}

void Kernel::reset(std::uint64_t seed) {
  Machine& m = machine();
  if (m.running != nullptr) std::abort();
  for (const auto& fiber : m.fibers) {
    if (fiber->stack != nullptr) free_stack(fiber->stack);
  }
  const bool traced = m.traced;
  m = Machine{};
  m.on = true;
  m.traced = traced;
  m.now = begins_at;
  m.rng = Rng(seed);
  m.digest = seed;
}

SteadyTime Kernel::now() const { return machine().now; }
Rng& Kernel::rng() { return machine().rng; }
Process* Kernel::current() { return machine().running != nullptr ? machine().running->process : nullptr; }

void Kernel::at(SteadyTime at, std::function<void()> call) {
  Machine& m = machine();
  std::size_t place = m.calls.size();
  if (m.free_calls.empty()) {
    m.calls.push_back(std::move(call));
  } else {
    place = m.free_calls.back();
    m.free_calls.pop_back();
    m.calls[place] = std::move(call);
  }
  m.push_event(std::max(at, m.now), nullptr, place);
}

std::shared_ptr<Process> Kernel::spawn(std::string name, std::function<void()> main) {
  Machine& m = machine();
  auto process = std::make_shared<Process>();
  process->name = std::move(name);
  process->id = ++m.processes_begun;
  m.processes.push_back(process);
  m.begin_fiber(process.get(), [main = std::move(main)]() -> void* {
     main();
     return nullptr;
   }).detached = true;
  return process;
}

void Kernel::kill(Process& process) {
  if (process.state == Process::State::Dead) return;
  process.state = Process::State::Dead;
  trace(process.name, "killed");
  if (process.on_death) at(now(), process.on_death);
  if (current() == &process) {
    machine().running->state = Fiber::State::Killed;
    machine().switch_out();
  }
}

void Kernel::pause(Process& process) {
  if (process.state != Process::State::Running) return;
  process.state = Process::State::Paused;
  trace(process.name, "paused");
  if (current() == &process) yield();
}

void Kernel::resume(Process& process) {
  if (process.state != Process::State::Paused) return;
  process.state = Process::State::Running;
  trace(process.name, "resumed");
  if (process.on_resume) at(now(), process.on_resume);
  Machine& m = machine();
  std::erase_if(m.parked, [&](Fiber* fiber) {
    if (fiber->process != &process) return false;
    m.ready.push_back(fiber);
    return true;
  });
}

void Kernel::sleep(Duration duration) {
  Machine& m = machine();
  if (m.running == nullptr) std::abort();
  WaitList nobody;
  m.wait_in(nobody, m.now + std::max(duration, Duration{1}));
}

void Kernel::yield() {
  Machine& m = machine();
  if (m.running == nullptr) return;
  m.running->state = Fiber::State::Waiting;
  m.make_ready(*m.running);
  m.switch_out();
}

void Kernel::stop() { machine().stopping = true; }

namespace {

void run_event(Machine& m) {
  std::ranges::pop_heap(m.events, std::greater<>{});
  const Machine::Event event = m.events.back();
  m.events.pop_back();
  m.now = std::max(m.now, SteadyTime{event.at});
  if (event.fiber == nullptr) {
    const std::function<void()> call = std::move(m.calls[event.wait]);
    m.calls[event.wait] = nullptr;
    m.free_calls.push_back(event.wait);
    call();
    return;
  }
  Fiber& fiber = *event.fiber;
  if (fiber.wait != event.wait || fiber.state != Fiber::State::Waiting) return;
  if (fiber.waits_in != nullptr) fiber.waits_in->remove(fiber);
  fiber.timed_out = true;
  m.make_ready(fiber);
}

void run_fiber(Machine& m) {
  const std::size_t chosen = m.ready.size() == 1 ? 0 : m.rng.below(m.ready.size());
  Fiber& fiber = *m.ready[chosen];
  m.ready[chosen] = m.ready.back();
  m.ready.pop_back();
  if (fiber.process != nullptr && fiber.process->state != Process::State::Running) {
    if (fiber.process->state == Process::State::Paused) m.parked.push_back(&fiber);
    return;
  }
  m.now = m.now + dispatch_cost;
  mix(m.digest, static_cast<std::uint64_t>(m.now.ns));
  mix(m.digest, fiber.number);
  m.switch_to(fiber);
  if (fiber.state != Fiber::State::Done) return;
  free_stack(std::exchange(fiber.stack, nullptr));
  if (fiber.detached) m.retire(fiber);
}

}  // namespace

void Machine::retire(Fiber& fiber) {
  const auto owner = std::ranges::find(fibers, &fiber, &std::unique_ptr<Fiber>::get);
  retired.push_back(std::move(*owner));
  *owner = std::move(fibers.back());
  fibers.pop_back();
}

void Kernel::run_until(SteadyTime until) {
  Machine& m = machine();
  m.stopping = false;
  while (!m.stopping) {
    const bool due = !m.events.empty() && m.events.front().at <= (m.ready.empty() ? until : m.now).ns;
    if (due) {
      run_event(m);
    } else if (!m.ready.empty() && m.now < until) {
      run_fiber(m);
    } else {
      m.now = std::max(m.now, until);
      return;
    }
  }
}

void Kernel::want_trace(Trace trace) { machine().traced = trace == Trace::On; }
bool Kernel::traced() const { return machine().traced; }

void Kernel::trace(std::string_view who, std::string_view what) {
  Machine& m = machine();
  if (!m.traced) return;
  const std::int64_t us = (m.now - begins_at).count() / 1000;
  std::printf("%4lld.%06lld %-10.*s %.*s\n", static_cast<long long>(us / 1'000'000),
              static_cast<long long>(us % 1'000'000), static_cast<int>(who.size()), who.data(),
              static_cast<int>(what.size()), what.data());
}

std::uint64_t Kernel::digest() const { return machine().digest; }

}  // namespace legion::sim
