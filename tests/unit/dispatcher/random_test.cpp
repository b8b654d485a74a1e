#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "random_world.hpp"
#include "seed.hpp"

namespace legion::test {

class DispatcherRandom : public testing::Test {
 protected:
  /// rapidcheck reads its parameters once, before the first property. RC_PARAMS given from outside wins.
  static void SetUpTestSuite() {
    const std::string parameters = "seed=" + std::to_string(run_seed()) + " max_success=125";
    setenv("RC_PARAMS", parameters.c_str(), 0);
  }

  static void run(std::uint64_t seed, const std::vector<std::uint64_t>& steps, Weather weather) {
    RandomWorld world(seed, weather);
    for (const std::uint64_t choice : steps) world.step(choice);
    world.settle();
  }

  static bool holds(const std::string& what, std::size_t steps, Weather weather) {
    const auto numbers = rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<std::uint64_t>()));
    return rc::check(what, [&] {
      const std::uint64_t seed = *numbers;
      const auto choices = *rc::gen::container<std::vector<std::uint64_t>>(steps, numbers);
      const auto kept = static_cast<std::size_t>(*rc::gen::resize(100, rc::gen::inRange<std::size_t>(0, steps + 1)));
      run(seed, {choices.begin(), choices.begin() + static_cast<std::ptrdiff_t>(kept)}, weather);
    });
  }
};

TEST_F(DispatcherRandom, KeepsEveryRuleWhenNothingIsLost) {
  EXPECT_TRUE(holds("order, gates, attempts, books, nothing stuck", 300, Weather::Calm));
}

TEST_F(DispatcherRandom, KeepsEveryRuleUnderOverloadExpiryAndDefects) {
  EXPECT_TRUE(holds("order, gates, attempts, books, bounds, nothing stuck", 300, Weather::Rough));
}

}  // namespace legion::test
