// Clocks, sleeps and chance of a simulated machine.
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "kernel_state.hpp"

namespace legion::sim {
namespace {

std::int64_t wall_ns() {
  const Process* process = Kernel::get().current();
  return Kernel::get().wall().ns + (process != nullptr ? process->wall_offset.count() : 0);
}

timespec as_timespec(std::int64_t ns) { return {ns / 1'000'000'000, ns % 1'000'000'000}; }

void draw_into(void* to, std::size_t bytes) {
  auto* at = static_cast<unsigned char*>(to);
  while (bytes > 0) {
    const std::uint64_t drawn = machine().rng.next();
    const std::size_t now = bytes < sizeof drawn ? bytes : sizeof drawn;
    std::memcpy(at, &drawn, now);
    at += now;
    bytes -= now;
  }
}

bool simulated() { return the_machine != nullptr && the_machine->on; }

}  // namespace
}  // namespace legion::sim

using namespace legion::sim;

// The standard library's asks the processor itself.
std::random_device::result_type std::random_device::_M_getval() {
  result_type drawn = 0;
  if (!simulated()) {
    if (::syscall(SYS_getrandom, &drawn, sizeof drawn, 0) != sizeof drawn) std::abort();
    return drawn;
  }
  draw_into(&drawn, sizeof drawn);
  return drawn;
}

extern "C" {

int clock_gettime(clockid_t clock, timespec* at) noexcept {
  if (!simulated() || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
    return static_cast<int>(::syscall(SYS_clock_gettime, clock, at));
  }
  const bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  *at = as_timespec(wall ? wall_ns() : machine().now.ns);
  return 0;
}

int gettimeofday(timeval* __restrict at, void* __restrict) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *at = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* at) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at != nullptr) *at = now.tv_sec;
  return now.tv_sec;
}

int nanosleep(const timespec* wanted, timespec* left) {
  if (!simulated() || machine().running == nullptr) return static_cast<int>(::syscall(SYS_nanosleep, wanted, left));
  Kernel::get().sleep(legion::Duration{wanted->tv_sec * 1'000'000'000 + wanted->tv_nsec});
  return 0;
}
int clock_nanosleep(clockid_t clock, int flags, const timespec* wanted, timespec* left) {
  if (!simulated() || machine().running == nullptr) {
    return static_cast<int>(::syscall(SYS_clock_nanosleep, clock, flags, wanted, left));
  }
  std::int64_t ns = wanted->tv_sec * 1'000'000'000 + wanted->tv_nsec;
  if (flags == TIMER_ABSTIME) ns -= clock == CLOCK_REALTIME ? wall_ns() : machine().now.ns;
  Kernel::get().sleep(legion::Duration{ns});
  return 0;
}
int usleep(useconds_t us) {
  const timespec wanted = as_timespec(static_cast<std::int64_t>(us) * 1000);
  return nanosleep(&wanted, nullptr);
}

ssize_t getrandom(void* to, size_t bytes, unsigned flags) {
  if (!simulated()) return ::syscall(SYS_getrandom, to, bytes, flags);
  draw_into(to, bytes);
  return static_cast<ssize_t>(bytes);
}
int getentropy(void* to, size_t bytes) { return getrandom(to, bytes, 0) == static_cast<ssize_t>(bytes) ? 0 : -1; }

}  // extern "C"
