// The memory of a program that is one thread and never has to give anything back: malloc without locks. What a killed
// process leaves is gone until the program ends.
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t bytes);
void __libc_free(void* memory);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
}

namespace {

constexpr std::size_t arena_bytes = std::size_t{32} << 30;  // of addresses; pages are the system's until they are used
constexpr std::size_t span_bytes = 64 << 10;  // every span has pieces of one size
constexpr std::size_t huge_page_bytes = 2 << 20;
constexpr std::size_t fine_max = 1024;  // up to here sizes are multiples of 16
constexpr std::size_t pieces_max = 16 << 10;  // what is larger is the C library's
constexpr std::size_t fine_classes = fine_max / 16;
constexpr std::size_t classes = fine_classes + 4 * 4;  // above, four to a doubling

struct Piece {
  Piece* next;
};

std::uintptr_t arena = 0;  // 0: not asked for yet; 1: the system gives none
std::uintptr_t arena_next = 0;
std::array<Piece*, classes> spare{};
std::array<std::uintptr_t, classes> fresh{}, fresh_end{};
std::array<std::uint8_t, arena_bytes / span_bytes> class_of_span{};

std::size_t class_of(std::size_t bytes) {
  if (bytes <= fine_max) return bytes == 0 ? 0 : (bytes - 1) / 16;
  const auto doubling = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 11;  // 1025 .. 2048 is the first
  const std::size_t step = (fine_max << doubling) / 4;
  return fine_classes + doubling * 4 + (bytes - 1 - (fine_max << doubling)) / step;
}

std::size_t bytes_of(std::size_t size_class) {
  if (size_class < fine_classes) return (size_class + 1) * 16;
  const std::size_t doubling = (size_class - fine_classes) / 4, quarter = (size_class - fine_classes) % 4;
  return (fine_max << doubling) / 4 * (5 + quarter);
}

bool is_ours(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory) - arena < arena_bytes && arena > 1; }

std::size_t span_of(const void* memory) { return (reinterpret_cast<std::uintptr_t>(memory) - arena) / span_bytes; }

bool find_arena() {
  if (arena != 0) return arena > 1;
  arena = 1;
  void* memory = ::mmap(nullptr, arena_bytes + huge_page_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  arena = (reinterpret_cast<std::uintptr_t>(memory) + huge_page_bytes - 1) & ~(huge_page_bytes - 1);
  arena_next = arena;
  ::madvise(reinterpret_cast<void*>(arena), arena_bytes, MADV_HUGEPAGE);
  return true;
}

[[gnu::noinline]] void* allocate_from_span(std::size_t size_class) {
  const std::size_t bytes = bytes_of(size_class);
  if (fresh_end[size_class] - fresh[size_class] < bytes) {
    if (!find_arena() || arena_next - arena == arena_bytes) return __libc_malloc(bytes);
    class_of_span[(arena_next - arena) / span_bytes] = static_cast<std::uint8_t>(size_class);
    fresh[size_class] = arena_next;
    arena_next += span_bytes;
    fresh_end[size_class] = arena_next;
  }
  void* piece = reinterpret_cast<void*>(fresh[size_class]);
  fresh[size_class] += bytes;
  return piece;
}

void* allocate(std::size_t bytes) {
  const std::size_t size_class = class_of(bytes);
  Piece* piece = spare[size_class];
  if (piece == nullptr) return allocate_from_span(size_class);
  spare[size_class] = piece->next;
  return piece;
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) noexcept { return bytes <= pieces_max ? allocate(bytes) : __libc_malloc(bytes); }

void free(void* memory) noexcept {
  if (!is_ours(memory)) return __libc_free(memory);
  const std::size_t size_class = class_of_span[span_of(memory)];
  auto* piece = static_cast<Piece*>(memory);
  piece->next = spare[size_class];
  spare[size_class] = piece;
}

void* calloc(std::size_t count, std::size_t each) noexcept {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes) || bytes > pieces_max) return __libc_calloc(count, each);
  void* memory = allocate(bytes);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}

void* realloc(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return malloc(bytes);
  if (!is_ours(memory)) return __libc_realloc(memory, bytes);
  const std::size_t before = bytes_of(class_of_span[span_of(memory)]);
  if (bytes <= before && bytes > before / 2) return memory;
  void* moved = malloc(bytes);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, before < bytes ? before : bytes);
  free(memory);
  return moved;
}

void* memalign(std::size_t alignment, std::size_t bytes) noexcept { return __libc_memalign(alignment, bytes); }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept { return __libc_memalign(alignment, bytes); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) noexcept {
  *memory = __libc_memalign(alignment, bytes);
  return *memory != nullptr ? 0 : ENOMEM;
}

std::size_t malloc_usable_size(void* memory) noexcept {
  // Of the C library's own pieces nobody here asks.
  return memory != nullptr && is_ours(memory) ? bytes_of(class_of_span[span_of(memory)]) : 0;
}

}  // extern "C"
