#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* alpha = "127.0.0.1:7400";
constexpr const char* beta = "127.0.0.1:7500";

/// A node at rest whose books balance: 10 = 4 + 1 + 0 + 2 + 3.
json calm(const std::string& node) {
  json snapshot{{"node", node}, {"incarnation", 7}, {"publishing", true}};
  snapshot["lanes"] = {{{"lane", "high"}, {"queued", 0}}};
  snapshot["subscriptions"] = {{{"agent", "risk"},
                                {"type", "trade."},
                                {"tier", "low"},
                                {"durable", "orders"},
                                {"published", 10},
                                {"delivered", 4},
                                {"filtered", {{"stopped", 1}}},
                                {"expired", 0},
                                {"dead", 2},
                                {"lost", {{"gone", 3}, {"link", 0}}},
                                {"pending", 0},
                                {"balance", 0}}};
  snapshot["durable"] = {{{"name", "orders"}, {"phase", "active"}}};
  snapshot["journal"] = {
      {"confirmed",
       {{"last", 9}, {"journalled_events", 9}, {"confirmed_events", 8}, {"voided_events", 0}, {"waiting_events", 1}}},
      {"captured",
       {{"last", 5}, {"journalled_events", 5}, {"confirmed_events", 3}, {"voided_events", 2}, {"waiting_events", 0}}},
      {"links",
       {{{"spool", "vault"},
         {"state", "open"},
         {"confirmed", {{"acknowledged", 9}}},
         {"captured", {{"acknowledged", 5}}}}}}};
  snapshot["journal"]["confirmed"]["confirmed_events"] = 9;
  snapshot["journal"]["confirmed"]["waiting_events"] = 0;
  snapshot["spool"] = nullptr;
  return snapshot;
}

json& line_of(json& snapshot) { return snapshot["subscriptions"][0]; }

struct Mesh {
  FakeWorld world;
  json a = calm("alpha"), b = calm("beta");
  std::size_t looks = 0;
  std::function<void(Mesh&)> before_look = [](Mesh&) {};

  Mesh() {
    world.nodes[alpha].answer_json("nodes", R"([{"name":"alpha","state":"alive","address":"127.0.0.1:7400"},
      {"name":"beta","state":"alive","address":"127.0.0.1:7500"},{"name":"gone","state":"left","address":"127.0.0.1:7600"}])");
    world.nodes[alpha].methods["stats"] = [this](BytesView) {
      ++looks;
      before_look(*this);
      return data_from_json(a.dump());
    };
    world.nodes[beta].methods["stats"] = [this](BytesView) { return data_from_json(b.dump()); };
  }
  Ran check(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"check", "books"});
    return run(world, more);
  }
};

TEST(CheckBooks, AMeshAtRestWhoseBooksBalanceIsOk) {
  Mesh mesh;
  const Ran ran = mesh.check();
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("books ok: 6 lines of 2 nodes balance"));
  EXPECT_THAT(ran.err, HasSubstr("gone is gone"));
  EXPECT_GE(mesh.world.time.steady - SteadyTime{0}, 2s);
}

TEST(CheckBooks, AMemberThatIsDeadMayBeBehindAPartition) {
  Mesh mesh;
  mesh.world.nodes[alpha].answer_json("nodes", R"([{"name":"alpha","state":"alive","address":"127.0.0.1:7400"},
      {"name":"beta","state":"alive","address":"127.0.0.1:7500"},{"name":"lost","state":"dead","address":"127.0.0.1:7600"}])");
  const Ran ran = mesh.check();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("1 members are dead, or behind a partition"));
  EXPECT_THAT(ran.err, HasSubstr("lost is dead"));
}

TEST(CheckBooks, ASpoolThatIsNotConnectedIsNoRest) {
  Mesh mesh;
  mesh.a["journal"]["links"][0]["state"] = "connecting";
  const Ran ran = mesh.check({"--timeout", "5s"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("is not connected"));
}

TEST(CheckBooks, NamesTheSubscriptionThatDoesNotBalance) {
  Mesh mesh;
  line_of(mesh.b)["delivered"] = 3;  // the node claims a balance of 0 all the same
  const Ran ran = mesh.check();
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.out, HasSubstr("1 of 6 lines of 2 nodes do not balance"));
  EXPECT_THAT(ran.out, HasSubstr("beta: risk trade. (orders): published 10, accounted for 9: 1 without an entry"));
}

TEST(CheckBooks, NamesWhatIsCountedTwice) {
  Mesh mesh;
  line_of(mesh.a)["dead"] = 4;
  EXPECT_THAT(
      mesh.check().out,
      HasSubstr("alpha: risk trade. (orders): published 10, accounted for 12: 2 counted twice or never published"));
}

TEST(CheckBooks, NamesTheJournalThatDoesNotBalance) {
  Mesh mesh;
  mesh.a["journal"]["captured"]["voided_events"] = 0;
  const Ran ran = mesh.check({"-j"});
  EXPECT_EQ(ran.code, 2);
  const json answer = json::parse(ran.out);
  EXPECT_EQ(answer["state"], "critical");
  ASSERT_EQ(answer["off"].size(), 1u);
  EXPECT_EQ(answer["off"][0]["journal"], "captured");
  EXPECT_EQ(answer["off"][0]["balance"], 2);
}

TEST(CheckBooks, WaitsForWhatIsPending) {
  Mesh mesh;
  mesh.before_look = [](Mesh& m) {
    const int left = std::max<int>(0, 5 - static_cast<int>(m.looks));
    line_of(m.a)["pending"] = left;
    line_of(m.a)["delivered"] = 4 - left < 0 ? 0 : 4 - left;
  };
  const Ran ran = mesh.check();
  EXPECT_EQ(ran.code, 0);
  EXPECT_GT(mesh.looks, 8u);
}

TEST(CheckBooks, SaysWhatNeverCameToRest) {
  for (const auto& [path, text] : std::vector<std::pair<std::string, std::string>>{
           {"/lanes/0/queued", "alpha: 2 events not sent yet"},
           {"/spool/bytes_waiting", "alpha: 2 bytes not on disk yet"},
           {"/journal/links/0/confirmed/acknowledged", "alpha: 7 records not acknowledged by vault"}}) {
    Mesh mesh;
    mesh.a[json::json_pointer(path)] = 2;
    const Ran ran = mesh.check({"--timeout", "7s"});
    EXPECT_EQ(ran.code, 1) << path;
    EXPECT_THAT(ran.out, HasSubstr("never came to rest"));
    EXPECT_THAT(ran.out, HasSubstr(text));
    EXPECT_EQ(mesh.world.time.steady - SteadyTime{0}, 7s);
  }
}

TEST(CheckBooks, WhatMovesWithoutBeingPendingIsNotAtRest) {
  Mesh mesh;
  mesh.before_look = [](Mesh& m) {
    line_of(m.b)["published"] = 10 + m.looks;
    line_of(m.b)["delivered"] = 4 + m.looks;
  };
  const Ran ran = mesh.check();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("beta: risk trade. (orders) still moves"));
}

TEST(CheckBooks, HeartbeatsNeverStopAndDoNotCount) {
  Mesh mesh;
  mesh.before_look = [](Mesh& m) {
    line_of(m.b)["type"] = "*";
    line_of(m.b)["published"] = 10 + m.looks;
    line_of(m.b)["delivered"] = 4 + m.looks;
  };
  EXPECT_EQ(mesh.check().code, 0);
}

TEST(CheckBooks, ADurableSubscriptionThatHasNotBegunIsNotAtRest) {
  Mesh mesh;
  mesh.b["durable"][0]["phase"] = "loading";
  const Ran ran = mesh.check();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("beta: durable subscription orders is loading"));
}

TEST(CheckBooks, ANodeThatDoesNotAnswerIsWaitedForAndThenUnknown) {
  Mesh mesh;
  mesh.world.nodes[beta].methods.clear();
  const Ran ran = mesh.check({"-o", "jsonl"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_EQ(json::parse(ran.out)["state"], "unknown");
  Mesh back;
  const auto stats = back.world.nodes[beta].methods["stats"];
  back.world.nodes[beta].methods.erase("stats");
  back.before_look = [&](Mesh& m) {
    if (m.looks == 4) m.world.nodes[beta].methods["stats"] = stats;
  };
  EXPECT_EQ(back.check().code, 0);
}

TEST(CheckBooks, KnowsNothingElse) {
  Mesh mesh;
  EXPECT_EQ(run(mesh.world, {"check"}).code, exit_code::usage);
  EXPECT_EQ(run(mesh.world, {"check", "book"}).code, exit_code::usage);
}

}  // namespace
}  // namespace legion::cli
