// A small deterministic generator for simulations, jitter and tests. Not for secrets.
#pragma once

#include <cstdint>
#include <limits>

namespace legion {

/// xoshiro256** seeded by splitmix64: the same seed gives the same numbers on every machine. Satisfies
/// UniformRandomBitGenerator, so std::shuffle takes it.
class Rng {
 public:
  using result_type = std::uint64_t;

  explicit Rng(std::uint64_t seed);

  std::uint64_t next();
  /// Evenly in [0, n); 0 when n is 0.
  std::uint64_t below(std::uint64_t n);
  /// Evenly in [0, 1).
  double uniform();
  /// True with this probability.
  bool chance(double probability) { return uniform() < probability; }

  std::uint64_t operator()() { return next(); }
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return std::numeric_limits<std::uint64_t>::max(); }

 private:
  std::uint64_t state_[4];
};

}  // namespace legion
