#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <legion/event/policy.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Types, ListsTheCatalog) {
  FakeWorld world;
  const Ran ran = run(world, {"types"});
  EXPECT_EQ(ran.code, exit_code::ok);
  for (const CatalogEntry& entry : catalog()) EXPECT_THAT(ran.out, HasSubstr(std::string(entry.type) + " "));
  EXPECT_TRUE(world.connected.empty()) << "it needs no node";
}

TEST(Types, ListsAFamily) {
  FakeWorld world;
  const json rows = json::parse(run(world, {"types", "trade.", "-j"}).out);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["type"], "trade.approved");
  EXPECT_EQ(rows[0]["upper_name"], "TRADE_APPROVED");
  EXPECT_EQ(rows[0]["version"], 1);
  EXPECT_EQ(rows[0]["priority"], "critical");
  EXPECT_EQ(rows[0]["durability"], "confirmed");
  EXPECT_EQ(rows[0]["deliver"], "after_confirm");
  EXPECT_EQ(rows[2]["type"], "trade.rejected");
}

TEST(Types, ShowsTheFieldsOfOne) {
  FakeWorld world;
  const Ran shown = run(world, {"types", "SIGNAL_GENERATED"});
  EXPECT_EQ(shown.code, exit_code::ok);
  EXPECT_THAT(shown.out,
              AllOf(HasSubstr("signal.generated (SIGNAL_GENERATED)"), HasSubstr("version 2 (read from 1 on)"),
                    HasSubstr("confidence"), HasSubstr("required"), HasSubstr("0 to 1")));
  const json one = json::parse(run(world, {"types", "signal.generated", "-o", "json"}).out);
  EXPECT_EQ(one["version"], 2);
  EXPECT_EQ(one["oldest_version"], 1);
  EXPECT_EQ(one["fields"][3],
            (json{{"name", "confidence"}, {"kind", "number"}, {"required", true}, {"doc", "0 to 1"}}));
}

TEST(Types, FieldsInsideOthersHaveTheirPath) {
  FakeWorld world;
  const Ran ran = run(world, {"types", "opportunities.updated", "-o", "csv"});
  EXPECT_EQ(ran.out.substr(0, ran.out.find('\n')), "field,kind,presence,doc");
  EXPECT_THAT(ran.out, HasSubstr("\nopportunities[].score,number,required,"));
  const json one = json::parse(run(world, {"types", "opportunities.updated", "-j"}).out);
  EXPECT_EQ(one["fields"][0]["fields"][1]["name"], "score");
}

TEST(Types, WhatIsNotInTheCatalogIsNotFound) {
  FakeWorld world;
  const Ran ran = run(world, {"types", "trade.aproved"});
  EXPECT_EQ(ran.code, exit_code::nothing_found);
  EXPECT_THAT(ran.err, HasSubstr("did you mean 'trade.approved'?"));
  EXPECT_EQ(run(world, {"types", "nothing."}).code, exit_code::nothing_found);
  EXPECT_EQ(run(world, {"types", "Not A Type"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"types", "trade.", "--markdown"}).code, exit_code::usage);
}

TEST(Types, TheHeartbeatIsListedWithoutFields) {
  FakeWorld world;
  EXPECT_THAT(run(world, {"types", "agent.heartbeat"}).out, AllOf(HasSubstr("nodes only"), Not(HasSubstr("version"))));
}

// `legion-cli types --markdown > docs/event-types.md` after a change.
TEST(Types, ThePageOfTheDocumentationIsUpToDate) {
  FakeWorld world;
  std::ifstream file(LEGION_DOCS "/event-types.md", std::ios::binary);
  ASSERT_TRUE(file) << LEGION_DOCS "/event-types.md cannot be read";
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), run(world, {"types", "--markdown"}).out);
}

}  // namespace
}  // namespace legion::cli
