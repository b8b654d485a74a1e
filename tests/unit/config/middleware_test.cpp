// [[middleware]]: what is read, what it becomes, and what a mistake in it is called.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

using ::testing::ElementsAre;

std::string with(const std::string& tables) {
  return "[node]\nname = \"node-1\"\n" + tables +
         "[[agent]]\nname = \"risk\"\nbuiltin = \"log\"\n[[agent.subscribe]]\ntype = \"*\"\n";
}
std::vector<std::string> mistakes_in(const std::string& tables) { return testing::mistakes(with(tables)); }

TEST(MiddlewareTables, AreReadInTheirOrder) {
  const auto config = testing::parse(with(R"([[middleware]]
step = "where"
on = "publish"
type = "trade."
agents = ["risk"]
name = "mine"
where = "data.n > 1"
[[middleware]]
step = "deduplicate"
on = "dispatch"
window = 5
window_for = "10s"
by = "data.order"
[[middleware]]
step = "limit"
on = "publish"
rate = 2.5
burst = 4.0
[[middleware]]
step = "redact"
on = "dispatch"
fields = ["data.card"]
with = ""
[[middleware]]
step = "zstd"
on = "publish"
min_bytes = "1KiB"
)"));
  ASSERT_TRUE(config.has_value()) << to_string(config.error()[0]);
  const auto& steps = config->middleware;
  ASSERT_EQ(steps.size(), 5u);
  EXPECT_EQ(steps[0].step, MiddlewareKind::Where);
  EXPECT_EQ(steps[0].on, MiddlewarePlace::Publish);
  EXPECT_EQ(steps[0].type.text(), "trade.");
  EXPECT_THAT(steps[0].agents, ElementsAre("risk"));
  EXPECT_EQ(steps[0].name, "mine");
  EXPECT_EQ(steps[0].where->text(), "data.n > 1");
  EXPECT_EQ(steps[1].window, 5u);
  EXPECT_EQ(steps[1].window_for, 10s);
  EXPECT_EQ(steps[1].by->text(), "data.order");
  EXPECT_EQ(steps[2].rate, 2.5);
  EXPECT_EQ(steps[2].burst, 4.0);
  EXPECT_EQ(steps[3].with, "");
  EXPECT_EQ(steps[4].min_bytes, 1024u);
}

TEST(MiddlewareTables, ArePrintedSoThatTheyLoadAgain) {
  const auto config = testing::parse(with(R"([[middleware]]
step = "sample"
on = "dispatch"
share = 0.5
by = "key"
[[middleware]]
step = "expire"
on = "publish"
after = "5s"
[[middleware]]
step = "validate"
on = "publish"
[[middleware]]
step = "where"
on = "dispatch"
where = "data.text == \"a\\\"b\""
)"));
  ASSERT_TRUE(config.has_value()) << to_string(config.error()[0]);
  const auto again = testing::parse(print_effective(*config));
  ASSERT_TRUE(again.has_value()) << to_string(again.error()[0]) << print_effective(*config);
  EXPECT_TRUE(*again == *config) << print_effective(*config);
}

TEST(MiddlewareTables, MistakesAreReportedWithTheirPlace) {
  EXPECT_THAT(mistakes_in("[[middleware]]\non = \"publish\"\n"),
              ElementsAre("node.toml:3: [[middleware]] #1 has no step"));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"where\"\nwhere = \"key == 'x'\"\n"),
              ElementsAre("node.toml:3: [[middleware]] #1 has no on"));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"were\"\non = \"publish\"\n"),
              ElementsAre("node.toml:4: [[middleware]] #1 step: expected one of \"where\", \"validate\", \"expire\", "
                          "\"deduplicate\", \"limit\", \"sample\", \"redact\", \"upcast\", \"zstd\", found \"were\""));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"where\"\non = \"publish\"\n"),
              ElementsAre("node.toml:3: [[middleware]] #1: step = \"where\" needs where"));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"where\"\non = \"publish\"\nwhere = \"key =\"\n"),
              ElementsAre("node.toml:6: [[middleware]] #1 where: 1:5: unexpected '='; write =="));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"where\"\non = \"publish\"\nwhere = \"key == 'x'\"\nrate = 5\n"),
              ElementsAre("node.toml:7: [[middleware]] #1 rate: step = \"where\" has no such key"));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"limit\"\non = \"publish\"\nrte = 5\n"),
              ElementsAre("node.toml:3: [[middleware]] #1: step = \"limit\" needs rate",
                          "node.toml:6: unknown key \"rte\" in [[middleware]] #1; did you mean \"rate\"?"));
  EXPECT_THAT(
      mistakes_in("[[middleware]]\nstep = \"limit\"\non = \"publish\"\nrate = 5\nby = \"price\"\n"),
      ElementsAre("node.toml:7: [[middleware]] #1 by: field: 1:1: 'price' is not a field of an event; its data is "
                  "data.NAME"));
  EXPECT_THAT(
      mistakes_in("[[middleware]]\nstep = \"zstd\"\non = \"dispatch\"\n"),
      ElementsAre("node.toml:5: [[middleware]] #1 on: frames are compressed where they are made: step = \"zstd\" goes "
                  "with \"publish\""));
  EXPECT_THAT(
      mistakes_in("[[middleware]]\nstep = \"sample\"\non = \"publish\"\nshare = 0.5\n"),
      ElementsAre("node.toml:3: [[middleware]] #1: step = \"sample\" on = \"publish\" needs by: an event that is "
                  "published has no id yet"));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"redact\"\non = \"publish\"\nfields = [\"key\"]\n"),
              ElementsAre("node.toml:6: [[middleware]] #1 fields: field: key is not in the data; attributes cannot be "
                          "redacted"));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"redact\"\non = \"publish\"\nfields = []\n"),
              ElementsAre("node.toml:6: [[middleware]] #1 fields: names no field"));
  EXPECT_THAT(mistakes_in("[[middleware]]\nstep = \"limit\"\non = \"publish\"\nrate = 5\nbuckets = 5\n"),
              ElementsAre("node.toml:7: [[middleware]] #1 buckets: without by there is one bucket"));
  EXPECT_THAT(
      mistakes_in("[[middleware]]\nstep = \"validate\"\non = \"publish\"\nagents = [\"rsik\"]\n"),
      ElementsAre("node.toml:6: [[middleware]] #1 agents: this node has no agent \"rsik\"; did you mean \"risk\"?"));
}

}  // namespace
}  // namespace legion
