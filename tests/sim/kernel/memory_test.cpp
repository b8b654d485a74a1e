// malloc of a program that is one thread.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include <legion/base/rng.hpp>

namespace legion::sim {
namespace {

struct Piece {
  unsigned char* memory;
  std::size_t bytes;
  unsigned char fill;
};

/// malloc is the program's own here, unless a sanitizer has taken it over.
void fill(Piece& piece) { std::memset(piece.memory, piece.fill, piece.bytes); }

bool is_whole(const Piece& piece) {
  for (std::size_t i = 0; i < piece.bytes; ++i) {
    if (piece.memory[i] != piece.fill) return false;
  }
  return true;
}

TEST(Memory, PiecesOfAllSizesKeepWhatIsInThem) {
  Rng rng(7);
  std::vector<Piece> pieces;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t chosen = pieces.empty() ? 0 : rng.below(pieces.size());
    const std::size_t bytes = 1 + rng.below(std::size_t{1} << (1 + rng.below(16)));
    const auto with = static_cast<unsigned char>(1 + rng.below(255));
    const auto action = rng.below(3);
    if (pieces.size() < 100 || action == 0) {
      auto* memory = static_cast<unsigned char*>(std::malloc(bytes));
      ASSERT_NE(memory, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 16, 0u);
      pieces.push_back({memory, bytes, with});
      fill(pieces.back());
      continue;
    }
    ASSERT_TRUE(is_whole(pieces[chosen])) << pieces[chosen].bytes;
    if (action == 1) {
      Piece& piece = pieces[chosen];
      const std::size_t kept = std::min(piece.bytes, bytes);
      piece.memory = static_cast<unsigned char*>(std::realloc(piece.memory, bytes));
      piece.bytes = kept;
      ASSERT_TRUE(is_whole(piece)) << bytes;
      piece.bytes = bytes;
      fill(piece);
    } else {
      std::free(pieces[chosen].memory);
      pieces[chosen] = pieces.back();
      pieces.pop_back();
    }
  }
  for (const Piece& piece : pieces) {
    EXPECT_TRUE(is_whole(piece));
    std::free(piece.memory);
  }
}

TEST(Memory, CallocGivesZeroesWhereSomethingWas) {
  for (const std::size_t bytes : {1u, 24u, 1024u, 1025u, 5000u, 16'384u, 100'000u}) {
    for (int round = 0; round < 3; ++round) {
      auto* memory = static_cast<unsigned char*>(std::calloc(bytes, 1));
      for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(memory[i], 0) << bytes;
      std::memset(memory, 0xa5, bytes);
      std::free(memory);
    }
  }
}

TEST(Memory, AlignedPiecesAreFreedLikeOthers) {
  for (const std::size_t alignment : {16u, 64u, 4096u}) {
    void* memory = std::aligned_alloc(alignment, 3 * alignment);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0u);
    std::memset(memory, 1, 3 * alignment);
    std::free(memory);
  }
}

}  // namespace
}  // namespace legion::sim
