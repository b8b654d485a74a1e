#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using testing::HasSubstr;

TEST(CommandLine, NamesTheVerbThatWasProbablyMeant) {
  FakeWorld world;
  const Ran ran = run(world, {"tial"});
  EXPECT_EQ(ran.code, exit_code::usage);
  EXPECT_THAT(ran.err, HasSubstr("unknown verb 'tial'; did you mean 'tail'?"));
  EXPECT_EQ(ran.out, "");
}

TEST(CommandLine, NamesTheFlagThatWasProbablyMeant) {
  FakeWorld world;
  const Ran ran = run(world, {"tail", "--prioritty", "high"});
  EXPECT_EQ(ran.code, exit_code::usage);
  EXPECT_THAT(ran.err, HasSubstr("unknown flag '--prioritty'; did you mean '--priority'?"));
}

TEST(CommandLine, RefusesFlagsOfLaterVersions) {
  FakeWorld world;
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"tail", "--where", "x > 1"}, {"top"}, {"check", "mesh"}, {"doctor"}, {"nodes", "-o", "dot"}}) {
    EXPECT_EQ(run(world, arguments).code, exit_code::usage) << arguments.back();
  }
}

TEST(CommandLine, ShowsHelpAndEndsWith64WithoutAVerb) {
  FakeWorld world;
  const Ran ran = run(world, {});
  EXPECT_EQ(ran.code, exit_code::usage);
  EXPECT_THAT(ran.err, HasSubstr("publish"));
}

TEST(CommandLine, PrintsHelpOnStandardOutput) {
  FakeWorld world;
  const Ran all = run(world, {"--help"});
  const Ran one = run(world, {"tail", "--help"});
  EXPECT_EQ(all.code, exit_code::ok);
  EXPECT_THAT(all.out, HasSubstr("Exit codes"));
  EXPECT_EQ(one.code, exit_code::ok);
  EXPECT_THAT(one.out, HasSubstr("--priority"));
}

TEST(CommandLine, TakesGlobalFlagsBeforeAndBehindTheVerb) {
  FakeWorld world;
  const Ran before = run(world, {"-j", "version"});
  const Ran behind = run(world, {"version", "-j"});
  EXPECT_EQ(before.code, exit_code::ok);
  EXPECT_EQ(before.out, behind.out);
  EXPECT_THAT(before.out, HasSubstr("\"protocol\": 1"));
}

TEST(CommandLine, RefusesValuesThatAreNone) {
  FakeWorld world;
  EXPECT_EQ(run(world, {"version", "-o", "xml"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"version", "--timeout", "5"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"version", "--timeout", "0"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"version", "--color", "sometimes"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"version", "-j", "-o", "csv"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"tail", "-n", "0"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"tail", "-n", "-3"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"version", "extra"}).code, exit_code::usage);
}

TEST(CommandLine, NamesTheChoicesOfAFlagThatHasSome) {
  FakeWorld world;
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"version", "-o", "xml"}, {"version", "--output=yaml"}, {"version", "-o"}, {"-o", "TABLE", "version"}}) {
    const Ran ran = run(world, arguments);
    EXPECT_EQ(ran.code, exit_code::usage);
    EXPECT_THAT(ran.err, HasSubstr("table|json|jsonl|csv|dot"));
    EXPECT_EQ(ran.out, "");
  }
  EXPECT_THAT(run(world, {"version", "--color", "some"}).err, HasSubstr("auto|always|never"));
}

TEST(CommandLine, AnArgumentMayBeCalledLikeAVerb) {
  FakeWorld world;
  EXPECT_EQ(run(world, {"tail", "stats", "--duration", "1s"}).code, exit_code::ok);
  ASSERT_EQ(world.observed.filters.size(), 1u);
  EXPECT_EQ(world.observed.filters.front().text(), "stats");
}

TEST(CommandLine, ColoursOnlyTerminalsUnlessTold) {
  FakeWorld world;
  constexpr char escape = '\033';
  EXPECT_EQ(run(world, {"version"}).out.find(escape), std::string::npos);
  EXPECT_NE(run(world, {"version"}, "", Terminal::Yes).out.find(escape), std::string::npos);
  EXPECT_EQ(run(world, {"version", "--color", "never"}, "", Terminal::Yes).out.find(escape), std::string::npos);
  EXPECT_NE(run(world, {"version", "--color", "always"}).out.find(escape), std::string::npos);
  world.variables["NO_COLOR"] = "1";
  EXPECT_EQ(run(world, {"version"}, "", Terminal::Yes).out.find(escape), std::string::npos);
}

}  // namespace
}  // namespace legion::cli
