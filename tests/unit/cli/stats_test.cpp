#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using testing::HasSubstr;

std::string snapshot(const std::string& node, int published, int delivered) {
  nlohmann::json json{{"node", node}, {"incarnation", 7}, {"version", "0.1.0"}, {"uptime_ms", 62'000}, {"publishing", true}};
  json["lanes"] = {{{"lane", "high"}, {"published", published}, {"received", 2 * published}, {"dispatched", delivered},
                    {"depth", 4}, {"lost", {{"link", 1}}}, {"p50_us", 80.0}, {"p99_us", 1500.0}}};
  json["subscriptions"] = {{{"agent", "risk"}, {"type", "signal."}, {"tier", "normal"}, {"published", published},
                            {"delivered", delivered}, {"filtered", {{"where", 1}, {"stopped", 2}}}, {"expired", 0},
                            {"dead", 0}, {"lost", {{"link", 1}}}, {"pending", 4}, {"balance", 0}}};
  json["handlers"] = {{{"agent", "risk"}, {"type", "signal."}, {"tier", "normal"}, {"total", delivered}, {"errors", 1}}};
  json["agents"] = {{{"agent", "risk"}, {"kind", "exec"}, {"state", "running"}, {"up", true}}};
  json["publish"] = {{"queued", published}, {"refused", 0}};
  return json.dump();
}

FakeWorld world_of(int published, int delivered) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].answer_json("stats", snapshot("alpha", published, delivered));
  return world;
}

TEST(Stats, ShowsEverySectionOfANode) {
  FakeWorld world = world_of(10, 2);
  const Ran ran = run(world, {"stats"});
  EXPECT_EQ(ran.code, exit_code::ok);
  for (const auto* part : {"alpha  legion 0.1.0", "LANE", "PUBLISHED", "AGENT", "BALANCE", "ERROR RATE", "publish:  queued=10"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
}

constexpr const char* durable_parts = R"({"node":"alpha","incarnation":7,"degraded":true,
  "journal":{"confirmed":{"last":100,"durable":90,"bytes":50,"bytes_max":100,"unconfirmed_events":11,"voided_events":0},
             "captured":{"last":5,"durable":5,"bytes":0,"bytes_max":100,"unconfirmed_events":0,"voided_events":3},
             "links":[{"spool":"beta","state":"open","store":"ab","trouble":"","confirmed":{"sent":100,"acknowledged":90},
                       "captured":{"sent":5,"acknowledged":5}},
                      {"spool":"gamma","state":"refused","store":null,"trouble":"frozen: disk full"}]},
  "spool":{"path":"/var/lib/spool.db","store":"cd","frozen":null,"events":12,"blocks":2,"dead_letters":4,"last_commit_us":850.0},
  "durable":[{"name":"orders","agent":"alpha/risk","filter":"trade.","phase":"active","pending":9,"oldest_age_ms":1500,
              "streams":[{"stream":"x","stalled":"no spool has 5"}]}]})";

TEST(Stats, ShowsJournalsLinksTheSpoolAndDurableSubscriptionsWhereThereAreSome) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].answer_json("stats", durable_parts);
  const std::string out = run(world, {"stats"}).out;
  EXPECT_THAT(out, HasSubstr("degraded: too few spools can be reached"));
  EXPECT_THAT(out, HasSubstr("confirmed   100       90           11       0  50.0%"));
  EXPECT_THAT(out, HasSubstr("gamma  refused"));
  EXPECT_THAT(out, HasSubstr("frozen: disk full"));
  EXPECT_THAT(out, HasSubstr("850us"));
  EXPECT_THAT(out, HasSubstr("orders        alpha/risk  trade.        9   1.50s        1"));
  EXPECT_EQ(run(world, {"stats", "--by", "journal", "-o", "csv"}).out,
            "node,incarnation,journal,last,durable,bytes,bytes_max,unconfirmed_events,voided_events\n"
            "alpha,7,confirmed,100,90,50,100,11,0\nalpha,7,captured,5,5,0,100,0,3\n");
  EXPECT_EQ(nlohmann::json::parse(run(world, {"stats", "--by", "link", "-j"}).out)["links"].size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(run(world, {"stats", "--by", "spool", "-j"}).out)["spool"][0]["events"], 12);
  EXPECT_EQ(nlohmann::json::parse(run(world, {"stats", "--by", "durable", "-j"}).out)["durable"][0]["name"], "orders");
}

TEST(Stats, ShowsTheStepsOfMiddlewareWhereThereAreSome) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].answer_json("stats", R"({"node":"alpha","incarnation":7,"middleware":[
    {"name":"no-tests","step":"where","on":"publish","type":"*","seen":30,"changed":0,"filtered":12,"limited":0,
     "expired":0,"rejected":0}]})");
  const std::string out = run(world, {"stats"}).out;
  EXPECT_THAT(out, HasSubstr("FILTERED"));
  EXPECT_THAT(out, HasSubstr("no-tests  publish  *"));
  EXPECT_EQ(run(world, {"stats", "--by", "middleware", "-o", "csv"}).out,
            "node,incarnation,name,step,on,type,seen,changed,filtered,limited,expired,rejected\n"
            "alpha,7,no-tests,where,publish,*,30,0,12,0,0,0\n");
  EXPECT_EQ(nlohmann::json::parse(run(world, {"stats", "--by", "middleware", "-j"}).out)["middleware"][0]["seen"], 30);
}

TEST(Stats, SectionsThatANodeHasNotAreLeftOut) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].answer_json("stats", R"({"node":"alpha","journal":null,"spool":null,"durable":[]})");
  const Ran ran = run(world, {"stats"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(ran.out.find("JOURNAL"), std::string::npos);
  EXPECT_EQ(ran.out.find("STORE"), std::string::npos);
  world.nodes["127.0.0.1:7400"].answer_json("stats", R"({"node":"alpha","journal":[7],"spool":"x","durable":{"a":1}})");
  EXPECT_EQ(run(world, {"stats"}).code, exit_code::ok);
}

TEST(Stats, JsonOfOneNodeIsTheNodesObject) {
  FakeWorld world = world_of(10, 2);
  EXPECT_EQ(nlohmann::json::parse(run(world, {"stats", "-j"}).out), nlohmann::json::parse(snapshot("alpha", 10, 2)));
}

TEST(Stats, JsonOfSeveralNodesIsAnArray) {
  FakeWorld world = world_of(10, 2);
  world.nodes["127.0.0.1:7500"].answer_json("stats", snapshot("beta", 1, 1));
  const auto list = nlohmann::json::parse(run(world, {"stats", "127.0.0.1:7400", "127.0.0.1:7500", "-j"}).out);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1]["node"], "beta");
}

TEST(Stats, AllAsksEveryNodeThatIsAlive) {
  FakeWorld world = world_of(10, 2);
  world.nodes["127.0.0.1:7400"].answer_json(
      "nodes", R"([{"state":"alive","address":"127.0.0.1:7400"},{"state":"alive","address":"127.0.0.1:7500"},
                   {"state":"dead","address":"127.0.0.1:7600"}])");
  world.nodes["127.0.0.1:7500"].answer_json("stats", snapshot("beta", 1, 1));
  const Ran ran = run(world, {"stats", "--all", "-o", "jsonl"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 2);
}

TEST(Stats, OneOfTwoNodesWithoutAnAnswerIsAPartialSuccess) {
  FakeWorld world = world_of(10, 2);
  const Ran ran = run(world, {"stats", "127.0.0.1:7400", "127.0.0.1:7500"});
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_THAT(ran.out, HasSubstr("alpha"));
  EXPECT_THAT(ran.err, HasSubstr("127.0.0.1:7500"));
}

TEST(Stats, BooksBalanceOrTheCommandFails) {
  FakeWorld good = world_of(10, 2);  // 10 = 2 + 3 + 0 + 0 + 1 + 4
  const Ran balanced = run(good, {"stats", "--books"});
  EXPECT_EQ(balanced.code, exit_code::ok);
  EXPECT_THAT(balanced.out, HasSubstr("total"));
  FakeWorld bad = world_of(11, 2);  // the node claims a balance of 0 all the same
  const Ran off = run(bad, {"stats", "--books", "-o", "jsonl"});
  EXPECT_EQ(off.code, exit_code::failed);
  EXPECT_EQ(nlohmann::json::parse(off.out)["balance"], 1);
}

TEST(Stats, ByChoosesOneSection) {
  FakeWorld world = world_of(10, 2);
  EXPECT_EQ(run(world, {"stats", "--by", "type", "-o", "csv"}).out,
            "node,incarnation,type,published,delivered,filtered,expired,dead,lost,pending,balance\n"
            "alpha,7,signal.,10,2,3,0,0,1,4,0\n");
  const auto json = nlohmann::json::parse(run(world, {"stats", "--by", "lane", "-j"}).out);
  EXPECT_EQ(json.size(), 2u);
  EXPECT_EQ(json["lanes"].size(), 1u);
  EXPECT_EQ(run(world, {"stats", "--by", "lanes"}).code, exit_code::usage);
}

/// The value of a column in the first line of CSV without quotes.
std::string value_in(const std::string& csv, const std::string& column) {
  std::istringstream lines(csv);
  std::string titles, values;
  std::getline(lines, titles);
  std::getline(lines, values);
  std::istringstream names(titles + ","), fields(values + ",");
  for (std::string name, field; std::getline(names, name, ',') && std::getline(fields, field, ',');) {
    if (name == column) return field;
  }
  return "no column " + column;
}

TEST(Stats, CsvHasTheValuesOfTheJson) {
  FakeWorld world = world_of(10, 2);
  const std::string lanes = run(world, {"stats", "-o", "csv"}).out;
  EXPECT_TRUE(lanes.starts_with("node,incarnation,lane,published,queued,")) << lanes;
  EXPECT_EQ(value_in(lanes, "incarnation"), "7");
  EXPECT_EQ(value_in(lanes, "lost_link"), "1");
  EXPECT_EQ(value_in(lanes, "p99_us"), "1500.0");
  EXPECT_EQ(value_in(lanes, "queued"), "");
  const std::string subscriptions = run(world, {"stats", "--by", "subscription", "-o", "csv"}).out;
  EXPECT_EQ(value_in(subscriptions, "filtered_stopped"), "2");
  EXPECT_EQ(value_in(subscriptions, "lost_shutdown"), "");
  EXPECT_EQ(value_in(run(world, {"stats", "--by", "handler", "-o", "csv"}).out, "errors"), "1");
  const std::string agents = run(world, {"stats", "--by", "agent", "-o", "csv"}).out;
  EXPECT_EQ(value_in(agents, "up"), "true");
  EXPECT_EQ(value_in(agents, "counters_restarts"), "");
  EXPECT_EQ(run(world, {"stats", "--books", "-o", "csv"}).out,
            "node,incarnation,agent,type,tier,published,delivered,filtered,expired,dead,lost,pending,balance\n"
            "alpha,7,risk,signal.,normal,10,2,3,0,0,1,4,0\n");
}

TEST(Stats, CsvPrintsItsTitlesOnceWhenTheFirstLookFails) {
  FakeWorld world = world_of(10, 2);
  int looks = 0;
  world.nodes["127.0.0.1:7400"].methods["stats"] = [&](BytesView) -> Result<Bytes> {
    if (++looks == 1) return fail(ErrorCode::BadData, "not now");
    return data_from_json(snapshot("alpha", 10, 2));
  };
  const Ran ran = run(world, {"stats", "--books", "--watch", "1s", "-n", "3", "-o", "csv"});
  EXPECT_TRUE(ran.out.starts_with("node,")) << ran.out;
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 3) << ran.out;
}

TEST(Stats, RollingCsvHasTheMembersOfTheJson) {
  FakeWorld world = world_of(10, 2);
  const Ran ran = run(world, {"stats", "--rolling", "-n", "2", "-o", "csv"});
  EXPECT_TRUE(ran.out.starts_with("time,node,in_per_s,out_per_s,dispatched_per_s,depth,lost,lost_delta,p99_us\n")) << ran.out;
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 3) << ran.out;
  EXPECT_EQ(value_in(ran.out, "out_per_s"), "0.0");
}

TEST(Stats, RollingPrintsWhatChangedPerSecond) {
  FakeWorld world = world_of(10, 2);
  int looks = 0;
  world.nodes["127.0.0.1:7400"].methods["stats"] = [&](BytesView) {
    ++looks;
    return data_from_json(snapshot("alpha", 10 + 100 * looks, 2));
  };
  const Ran ran = run(world, {"stats", "--rolling", "--interval", "2s", "-n", "2", "-o", "jsonl"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(looks, 3);
  std::istringstream lines(ran.out);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto first = nlohmann::json::parse(line);
  EXPECT_EQ(first["out_per_s"], 50.0);
  EXPECT_EQ(first["in_per_s"], 100.0);
  EXPECT_EQ(first["lost_delta"], 0);
  EXPECT_EQ(first["p99_us"], 1500.0);
}

TEST(Stats, FlagsThatExcludeEachOtherAreRefused) {
  FakeWorld world = world_of(10, 2);
  EXPECT_EQ(run(world, {"stats", "--books", "--by", "lane"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"stats", "--rolling", "--watch", "1s"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"stats", "--interval", "1s"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"stats", "--all", "alpha"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"stats", "--count", "2"}).code, exit_code::usage);
}

TEST(Stats, OffATerminalWatchingMovesNoCursor) {
  FakeWorld world = world_of(10, 2);
  const Ran ran = run(world, {"stats", "--watch", "1s", "-n", "2"});
  EXPECT_EQ(ran.out.find('\033'), std::string::npos);
  FakeWorld again = world_of(10, 2);
  EXPECT_NE(run(again, {"stats", "--watch", "1s", "-n", "2"}, "", Terminal::Yes).out.find("\033[H"), std::string::npos);
}

TEST(Stats, AnAnswerThatIsNoObjectIsBadData) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].answer_json("stats", "42");
  EXPECT_EQ(run(world, {"stats"}).code, exit_code::bad_data);
}

}  // namespace
}  // namespace legion::cli
