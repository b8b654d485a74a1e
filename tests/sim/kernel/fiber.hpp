// One thread of a simulated process: a stack of its own on the one real thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace legion::sim {

struct Process;

/// Who waits for the same thing: a list through the fibers themselves, so that its ends fit into a mutex or condition
/// variable of the system and no memory is needed to wait. All zero is empty.
struct Fiber;
struct WaitList {
  Fiber* first = nullptr;
  Fiber* last = nullptr;
  bool empty() const { return first == nullptr; }
  void push(Fiber& fiber);
  Fiber* pop();
  void remove(Fiber& fiber);
};

struct Fiber {
  std::uint64_t number = 0;
  Process* process = nullptr;
  std::function<void*()> body;
  std::string name;
  enum class State : std::uint8_t { Ready, Running, Waiting, Done, Killed } state = State::Ready;
  /// Names its present wait: a timer that was set for an earlier one is nobody's.
  std::uint64_t wait = 0;
  bool timed_out = false;
  bool detached = false;
  void* result = nullptr;
  WaitList joiners;
  // In one list at a time.
  WaitList* waits_in = nullptr;
  Fiber* next = nullptr;
  Fiber* previous = nullptr;

  // What the real thread keeps for whoever runs.
  void* stack_pointer = nullptr;
  std::byte* stack = nullptr;
  int error_number = 0;
  std::uint64_t exceptions[2] = {0, 0};
};

inline constexpr std::size_t stack_bytes = 256u << 10;

/// A stack for `entry`, which gets `argument` and never returns. The memory is recycled by free_stack().
std::byte* allocate_stack();
void free_stack(std::byte* stack);
void* prepare_stack(std::byte* stack, void (*entry)(void*), void* argument);

}  // namespace legion::sim

/// Saves the registers that a function has to preserve, and goes on where `to` was saved.
extern "C" void legion_sim_switch(void** from, void* to);
