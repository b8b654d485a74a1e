#include <legion/base/threads.hpp>

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace legion {

namespace {

constexpr std::uint64_t short_turn_ns = 100'000;  // the least the kernel grants

/// What the kernel calls struct sched_attr, in its first version; glibc 2.36 has no name for it.
struct Attributes {
  std::uint32_t size = 48;
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;  // of SCHED_OTHER: the turn; 0: the usual one
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};
static_assert(sizeof(Attributes) == 48);

void set_turn(std::uint64_t ns) {
  Attributes attributes;
  // Unchanged otherwise: somebody may have set the niceness of this process on purpose. What fails leaves things as they
  // are, which is only slower.
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 || attributes.policy != SCHED_OTHER) return;
  attributes.runtime_ns = ns;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

void name_this_thread(const char* name) { pthread_setname_np(pthread_self(), name); }
void ask_for_short_turns() { set_turn(short_turn_ns); }
void ask_for_usual_turns() { set_turn(0); }

}  // namespace legion
