// What the parts of the simulated machine share. Nobody else includes this.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fiber.hpp"
#include "kernel.hpp"

namespace legion::sim {

/// A simulated descriptor: an eventfd, a ZeroMQ socket's, or an epoll.
struct Descriptor {
  enum class Kind : std::uint8_t { Closed, Plain, Event, Epoll } kind = Kind::Closed;
  bool readable = false;
  std::uint64_t count = 0;          // of an eventfd
  int watcher = -1;                 // the epoll it is in
  std::uint64_t data = 0;           // as given to epoll_ctl
  std::vector<int> ready;           // of an epoll: those that are readable
  WaitList waiters;                 // of an epoll
};

struct Machine {
  struct Event {
    std::int64_t at;
    std::uint64_t order;
    Fiber* fiber;                   // null: `call`
    std::uint64_t wait;             // of the fiber, or the place of the call
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  bool on = false;
  bool stopping = false;
  bool traced = false;
  SteadyTime now{};
  Rng rng{0};
  std::uint64_t digest = 0;
  std::uint64_t orders = 0;
  std::uint64_t processes_begun = 0;
  Fiber* running = nullptr;
  void* scheduler_stack = nullptr;
  std::uint64_t scheduler_exceptions[2] = {0, 0};
  std::vector<std::shared_ptr<Process>> processes;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<std::unique_ptr<Fiber>> retired;  // done and joined: their stacks are free, the objects are used again
  std::vector<Fiber*> ready;
  std::vector<Fiber*> parked;       // ready, but their process is paused
  std::vector<Event> events;        // a heap
  std::vector<std::function<void()>> calls;
  std::vector<std::size_t> free_calls;
  std::deque<Descriptor> descriptors;  // they do not move: threads wait in them
  std::vector<int> free_descriptors;

  Fiber& begin_fiber(Process* process, std::function<void*()> body);
  void make_ready(Fiber& fiber);
  void push_event(SteadyTime at, Fiber* fiber, std::uint64_t wait);
  /// Of the running fiber: waits in `list` until it is taken out of it and made ready, or until `deadline`. False: the
  /// deadline passed first.
  bool wait_in(WaitList& list, std::optional<SteadyTime> deadline);
  void wake_one(WaitList& list);
  void wake_all(WaitList& list);
  /// Back to the scheduler, until somebody makes the fiber ready.
  void switch_out();
  void switch_to(Fiber& fiber);
  void end_running(void* result);
  /// It is done, and nobody will ask for its result any more.
  void retire(Fiber& fiber);
  Descriptor* descriptor(int fd);
};

extern constinit Machine* the_machine;  // never destroyed: threads of the real process may end behind main()
Machine& make_machine();
inline Machine& machine() { return the_machine != nullptr ? *the_machine : make_machine(); }

}  // namespace legion::sim
