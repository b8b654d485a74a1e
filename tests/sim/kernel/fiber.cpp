#include "fiber.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "tests/sim/kernel/fiber.cpp needs a stack switch for this processor"
#endif

#if defined(__x86_64__)
// rdi: where to keep the present stack pointer, rsi: the one to go on with.
asm(R"(
.text
.globl legion_sim_switch
.type legion_sim_switch,@function
legion_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size legion_sim_switch,.-legion_sim_switch

.globl legion_sim_start
.type legion_sim_start,@function
legion_sim_start:
  movq %r13, %rdi
  callq *%r12
  ud2
.size legion_sim_start,.-legion_sim_start
.section .note.GNU-stack,"",@progbits
.text
)");
#else
asm(R"(
.text
.globl legion_sim_switch
.type legion_sim_switch,%function
legion_sim_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size legion_sim_switch,.-legion_sim_switch

.globl legion_sim_start
.type legion_sim_start,%function
legion_sim_start:
  mov x0, x20
  blr x19
  brk #1
.size legion_sim_start,.-legion_sim_start
)");
#endif

extern "C" void legion_sim_start();

namespace legion::sim {

void WaitList::push(Fiber& fiber) {
  fiber.waits_in = this;
  fiber.next = nullptr;
  fiber.previous = last;
  (last != nullptr ? last->next : first) = &fiber;
  last = &fiber;
}

Fiber* WaitList::pop() {
  Fiber* fiber = first;
  if (fiber != nullptr) remove(*fiber);
  return fiber;
}

void WaitList::remove(Fiber& fiber) {
  (fiber.previous != nullptr ? fiber.previous->next : first) = fiber.next;
  (fiber.next != nullptr ? fiber.next->previous : last) = fiber.previous;
  fiber.next = nullptr;
  fiber.previous = nullptr;
  fiber.waits_in = nullptr;
}

namespace {

constexpr std::size_t guard_bytes = 4096;

std::vector<std::byte*>& spare_stacks() {
  static std::vector<std::byte*> spares;
  return spares;
}

}  // namespace

// The lowest page stays out of reach: who runs over ends here, not in another fiber's memory.
std::byte* allocate_stack() {
  auto& spares = spare_stacks();
  if (!spares.empty()) {
    std::byte* stack = spares.back();
    spares.pop_back();
    return stack;
  }
  void* memory =
      ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || ::mprotect(memory, guard_bytes, PROT_NONE) != 0) {
    std::perror("legion-sim: no memory for a stack");
    std::abort();
  }
  return static_cast<std::byte*>(memory);
}

void free_stack(std::byte* stack) { spare_stacks().push_back(stack); }

void* prepare_stack(std::byte* stack, void (*entry)(void*), void* argument) {
  auto* top = reinterpret_cast<void**>(stack + stack_bytes);
#if defined(__x86_64__)
  // As legion_sim_switch leaves it: r15 r14 r13 r12 rbx rbp, then where to go on. At that point the stack has to be
  // a multiple of 16.
  void** frame = top - 9;
  frame[0] = nullptr;
  frame[1] = nullptr;
  frame[2] = argument;
  frame[3] = reinterpret_cast<void*>(entry);
  frame[4] = nullptr;
  frame[5] = nullptr;
  frame[6] = reinterpret_cast<void*>(&legion_sim_start);
  frame[7] = nullptr;
  frame[8] = nullptr;
#else
  void** frame = top - 20;
  for (int i = 0; i < 20; ++i) frame[i] = nullptr;
  frame[0] = reinterpret_cast<void*>(entry);
  frame[1] = argument;
  frame[11] = reinterpret_cast<void*>(&legion_sim_start);
#endif
  return frame;
}

}  // namespace legion::sim
