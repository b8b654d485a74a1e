#include <legion/base/rng.hpp>

#include <bit>

namespace legion {

Rng::Rng(std::uint64_t seed) {
  // splitmix64, as the authors of xoshiro recommend for seeding: https://prng.di.unimi.it/
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t n) {
  if (n == 0) return 0;
  // Numbers below 2^64 mod n would make the small remainders more likely.
  const std::uint64_t biased = (0 - n) % n;
  std::uint64_t drawn = next();
  while (drawn < biased) drawn = next();
  return drawn % n;
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

}  // namespace legion
