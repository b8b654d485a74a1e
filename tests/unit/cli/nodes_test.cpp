#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* two_nodes = R"([
  {"name":"alpha","state":"alive","incarnation":18446744073709551615,"boot":"00","roles":["feed"],"address":"127.0.0.1:7400",
   "version":"0.1.0","self":true,"heartbeat_age_ms":0,"clock_skew_ms":0.0,"depth":{"critical":1,"high":2},"lost":{"link":5},
   "agents":[],"policy":"ab"},
  {"name":"beta","state":"dead","incarnation":3,"boot":"00","roles":[],"address":"127.0.0.1:7500","version":"0.1.0",
   "self":false,"heartbeat_age_ms":12000,"clock_skew_ms":-1.5,"depth":{},"lost":{},"agents":[],"policy":""}])";

FakeWorld world_of_two() {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].answer_json("nodes", two_nodes);
  world.nodes["127.0.0.1:7400"].answer_json("roster", "[]");
  return world;
}

TEST(Nodes, ShowsEveryNodeInATable) {
  FakeWorld world = world_of_two();
  const Ran ran = run(world, {"nodes"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(ran.out,
            "NAME   STATE  ROLES  HEARTBEAT  RTT     SKEW  VERSION  DEPTH  LOST  ADDRESS\n"
            "alpha  alive  feed     0ms ago  0ms      0ms  0.1.0        3     5  127.0.0.1:7400\n"
            "beta   dead   -      12.0s ago    -  -1.50ms  0.1.0        0     0  127.0.0.1:7500\n");
}

TEST(Nodes, ShowsSpoolsAndWhatIsDegraded) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].answer_json("nodes", R"([
    {"name":"alpha","state":"alive","roles":["feed","spool"],"address":"127.0.0.1:7400","degraded":true,"spool_mark":12,"spool_frozen":true},
    {"name":"beta","state":"alive","roles":[],"address":"127.0.0.1:7500","degraded":false,"spool_mark":null,"spool_frozen":false},
    {"name":"gamma","state":"dead","roles":[],"address":"127.0.0.1:7600","degraded":true}])");
  const Ran ran = run(world, {"nodes", "--no-ping"});
  EXPECT_THAT(ran.out, HasSubstr("alpha  alive, degraded, frozen  feed,spool"));
  EXPECT_THAT(ran.out, HasSubstr("beta   alive                    -"));
  EXPECT_THAT(ran.out, HasSubstr("gamma  dead                     -"));
}

TEST(Nodes, JsonIsWhatTheNodeGivesPlusTheRoundTrip) {
  FakeWorld world = world_of_two();
  const auto rows = nlohmann::json::parse(run(world, {"nodes", "-j"}).out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["incarnation"].get<std::uint64_t>(), 18446744073709551615u);
  EXPECT_TRUE(rows[0]["round_trip_ms"].is_number());
  EXPECT_TRUE(rows[1]["round_trip_ms"].is_null());
  auto expected = nlohmann::json::parse(two_nodes);
  for (auto& row : expected) row["round_trip_ms"] = row["name"] == "alpha" ? rows[0]["round_trip_ms"] : nullptr;
  EXPECT_EQ(rows, expected);
}

TEST(Nodes, CsvHasTheValuesOfTheJson) {
  FakeWorld world = world_of_two();
  world.nodes["127.0.0.1:7400"].methods["roster"] = [&](BytesView) {
    world.pass(1500us);
    return Bytes{0x90};
  };
  EXPECT_EQ(run(world, {"nodes", "-o", "csv"}).out,
            "name,state,incarnation,boot,roles,address,version,self,heartbeat_age_ms,clock_skew_ms,depth_critical,depth_high,"
            "depth_normal,depth_low,lost_link,lost_origin_died,lost_overflow,lost_gate_overflow,lost_shutdown,agents,policy,"
            "round_trip_ms\n"
            "alpha,alive,18446744073709551615,00,feed,127.0.0.1:7400,0.1.0,true,0,0.0,1,2,,,5,,,,,,ab,1.5\n"
            "beta,dead,3,00,,127.0.0.1:7500,0.1.0,false,12000,-1.5,,,,,,,,,,,,\n");
}

TEST(Nodes, MeasuresTheRoundTripUnlessToldNotTo) {
  FakeWorld world = world_of_two();
  world.nodes["127.0.0.1:7400"].methods["roster"] = [&](BytesView) {
    world.pass(1500us);
    return Bytes{0x90};
  };
  EXPECT_EQ(nlohmann::json::parse(run(world, {"nodes", "-j"}).out)[0]["round_trip_ms"], 1.5);
  EXPECT_TRUE(nlohmann::json::parse(run(world, {"nodes", "-j", "--no-ping"}).out)[0]["round_trip_ms"].is_null());
}

TEST(Nodes, FiltersByState) {
  FakeWorld world = world_of_two();
  const Ran dead = run(world, {"nodes", "--state", "dead,left", "-o", "jsonl"});
  EXPECT_THAT(dead.out, HasSubstr("beta"));
  EXPECT_THAT(dead.out, Not(HasSubstr("alpha")));
  EXPECT_EQ(run(world, {"nodes", "--state", "left", "--require"}).code, exit_code::nothing_found);
  EXPECT_EQ(run(world, {"nodes", "--state", "left"}).code, exit_code::ok);
  EXPECT_EQ(run(world, {"nodes", "--state", "alife"}).code, exit_code::usage);
}

TEST(Nodes, LeavesOutColumnsOnANarrowTerminalAndSaysSo) {
  FakeWorld world = world_of_two();
  const Ran ran = run(world, {"nodes", "--color", "never"}, "", Terminal::Yes, 60);
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 60u) << line;
  EXPECT_THAT(ran.err, HasSubstr("no room for: ROLES"));
}

TEST(Nodes, WatchesUntilTheCountIsReached) {
  FakeWorld world = world_of_two();
  const Ran ran = run(world, {"nodes", "--watch", "2s", "-n", "3", "-o", "csv"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 7) << ran.out;  // one header, three looks
  EXPECT_THAT(world.waits, testing::ElementsAre(2s, 2s));
  EXPECT_EQ(run(world, {"nodes", "--count", "3"}).code, exit_code::usage);
}

TEST(Nodes, WatchTakesASecondWhenNothingIsSaid) {
  FakeWorld world = world_of_two();
  EXPECT_EQ(run(world, {"nodes", "--watch", "-n", "2"}).code, exit_code::ok);
  EXPECT_THAT(world.waits, testing::ElementsAre(1s));
}

}  // namespace
}  // namespace legion::cli
