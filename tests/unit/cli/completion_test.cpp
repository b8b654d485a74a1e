#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using testing::HasSubstr;

TEST(Completion, OffersVerbsAndTheFlagsOfEach) {
  FakeWorld world;
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const Ran ran = run(world, {"completion", shell});
    EXPECT_EQ(ran.code, exit_code::ok) << shell;
    for (const auto* word : {"publish", "rolling", "no-ping", "correlation", "timeout", "replay", "to-mesh", "requeue",
                             "max-requeues", "backup", "against", "skip", "check", "follow", "types",
                             "market.depth_snapshot", "schema-version"}) {
      EXPECT_THAT(ran.out, HasSubstr(word)) << shell;
    }
  }
  EXPECT_EQ(run(world, {"completion", "tcsh"}).code, exit_code::usage);
}

}  // namespace
}  // namespace legion::cli
