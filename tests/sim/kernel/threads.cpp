// What the system's threads, mutexes and condition variables are in a simulated machine: fibers and lists of them.
// The standard library calls these functions by name, and finds the ones of this program first.
#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "kernel_state.hpp"

namespace legion::sim {
namespace {

/// How we use the memory of a pthread_mutex_t. `kind` stays where the system keeps it: static initialisers set it.
struct Mutex {
  int locked;
  unsigned depth;   // of a recursive one, beyond the first
  int padding[2];
  int kind;
  int more_padding;
  WaitList waiters;
};
static_assert(sizeof(Mutex) <= sizeof(pthread_mutex_t));

struct Condition {
  WaitList waiters;
};
static_assert(sizeof(Condition) <= sizeof(pthread_cond_t));

constexpr int recursive = PTHREAD_MUTEX_RECURSIVE;

Mutex& as_ours(pthread_mutex_t* mutex) { return *reinterpret_cast<Mutex*>(mutex); }
Condition& as_ours(pthread_cond_t* condition) { return *reinterpret_cast<Condition*>(condition); }

int me() {
  const Fiber* running = machine().running;
  return running == nullptr ? 1 : static_cast<int>(running->number % 2'000'000'000) + 2;
}

int lock(Mutex& mutex, std::optional<SteadyTime> deadline) {
  Machine& m = machine();
  const int self = me();
  while (mutex.locked != 0) {
    if (mutex.kind == recursive && mutex.locked == self) {
      ++mutex.depth;
      return 0;
    }
    if (m.running == nullptr) std::abort();  // the scheduler cannot wait: whoever has it would never go on
    if (!m.wait_in(mutex.waiters, deadline)) return ETIMEDOUT;
  }
  mutex.locked = self;
  return 0;
}

int unlock(Mutex& mutex) {
  if (mutex.depth > 0) {
    --mutex.depth;
    return 0;
  }
  mutex.locked = 0;
  if (!mutex.waiters.empty()) machine().wake_one(mutex.waiters);
  return 0;
}

int wait(Condition& condition, Mutex& mutex, std::optional<SteadyTime> deadline) {
  Machine& m = machine();
  if (m.running == nullptr) std::abort();
  unlock(mutex);
  const bool woken = m.wait_in(condition.waiters, deadline);
  lock(mutex, std::nullopt);
  return woken ? 0 : ETIMEDOUT;
}

/// A moment on one of the system's clocks as the process that asks sees it.
SteadyTime moment(clockid_t clock, const timespec& at) {
  const std::int64_t ns = at.tv_sec * 1'000'000'000 + at.tv_nsec;
  if (clock != CLOCK_REALTIME) return {ns};
  const Process* process = Kernel::get().current();
  const Duration offset = process != nullptr ? process->wall_offset : Duration{0};
  return Kernel::begins_at + (WallTime{ns} - Kernel::wall_at_begin - offset);
}

Fiber& fiber_of(pthread_t thread) { return *reinterpret_cast<Fiber*>(thread); }

}  // namespace
}  // namespace legion::sim

using namespace legion::sim;

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t*, void* (*body)(void*), void* argument) {
  Machine& m = machine();
  Fiber& fiber = m.begin_fiber(Kernel::get().current(), [body, argument] { return body(argument); });
  *thread = reinterpret_cast<pthread_t>(&fiber);
  return 0;
}

int pthread_join(pthread_t thread, void** result) {
  Machine& m = machine();
  Fiber& fiber = fiber_of(thread);
  while (fiber.state != Fiber::State::Done) m.wait_in(fiber.joiners, std::nullopt);
  if (result != nullptr) *result = fiber.result;
  m.retire(fiber);
  return 0;
}

int pthread_detach(pthread_t thread) {
  Fiber& fiber = fiber_of(thread);
  if (fiber.state == Fiber::State::Done) {
    machine().retire(fiber);
  } else {
    fiber.detached = true;
  }
  return 0;
}

pthread_t pthread_self() noexcept {
  return machine().running != nullptr ? reinterpret_cast<pthread_t>(machine().running) : pthread_t{1};
}

int pthread_setname_np(pthread_t, const char* name) noexcept {
  if (machine().running != nullptr) machine().running->name = name;
  return 0;
}

int pthread_mutex_destroy(pthread_mutex_t*) noexcept { return 0; }
int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept { return lock(as_ours(mutex), std::nullopt); }
int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept { return unlock(as_ours(mutex)); }

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  Mutex& ours = as_ours(mutex);
  if (ours.locked != 0 && !(ours.kind == recursive && ours.locked == me())) return EBUSY;
  return lock(ours, std::nullopt);
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* deadline) noexcept {
  return lock(as_ours(mutex), moment(clock, *deadline));
}
int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* deadline) noexcept {
  return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, deadline);
}

int pthread_cond_init(pthread_cond_t* condition, const pthread_condattr_t*) noexcept {
  std::memset(condition, 0, sizeof *condition);
  return 0;
}
int pthread_cond_destroy(pthread_cond_t*) noexcept { return 0; }

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  machine().wake_one(as_ours(condition).waiters);
  return 0;
}
int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  machine().wake_all(as_ours(condition).waiters);
  return 0;
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  return wait(as_ours(condition), as_ours(mutex), std::nullopt);
}
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  return wait(as_ours(condition), as_ours(mutex), moment(clock, *until));
}
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, until);
}

int sched_yield() noexcept {
  Kernel::get().yield();
  return 0;
}

}  // extern "C"
