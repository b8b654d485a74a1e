#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <legion/event/json.hpp>
#include <legion/runtime/stats.hpp>

namespace legion {
namespace {

nlohmann::json as_json(const Bytes& bytes) { return nlohmann::json::parse(*data_to_json(bytes)); }

TEST(Stats, HasPerLanePerSubscriptionAndPerHandlerObjects) {
  NodeSnapshot snapshot;
  snapshot.node = "alpha";
  snapshot.subscriptions.push_back({"desk", "trade.", Priority::High, {}});
  snapshot.subscriptions[0].books.published = 3;
  snapshot.subscriptions[0].books.delivered = 2;
  snapshot.dispatcher.handlers.resize(1);
  snapshot.dispatcher.handlers[0].total = 2;
  snapshot.dispatcher.agents.resize(1);
  snapshot.agents.push_back({"desk", "exec", "running", {{"published", 5}}});

  const auto json = as_json(encode(snapshot));

  ASSERT_EQ(json["lanes"].size(), 4u);
  EXPECT_EQ(json["lanes"][0]["lane"], "critical");
  const auto& book = json["subscriptions"][0];
  EXPECT_EQ(book["agent"], "desk");
  EXPECT_EQ(book["tier"], "high");
  EXPECT_EQ(book["published"], 3);
  EXPECT_EQ(book["balance"], 1);
  EXPECT_TRUE(book["lost"].contains("link"));
  EXPECT_EQ(json["handlers"][0]["total"], 2);
  EXPECT_EQ(json["handlers"][0]["error_rate"], 0.0);
  EXPECT_EQ(json["agents"][0]["counters"]["published"], 5);
}

TEST(Nodes, HasTheMembersOfTheContract) {
  NodeRow row;
  row.view.member.name = "alpha";
  row.view.member.incarnation = 42;
  row.view.member.state = MemberState::Suspect;
  row.view.member.roles = {"risk"};
  row.view.member.endpoints.control = "tcp://10.0.0.5:7400";
  row.view.heartbeat_age = 1500ms;

  const auto json = as_json(encode(std::vector<NodeRow>{row, NodeRow{}}));

  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["name"], "alpha");
  EXPECT_EQ(json[0]["state"], "suspect");
  EXPECT_EQ(json[0]["incarnation"], 42);
  EXPECT_EQ(json[0]["roles"], nlohmann::json::array({"risk"}));
  EXPECT_EQ(json[0]["address"], "10.0.0.5:7400");
  EXPECT_EQ(json[0]["heartbeat_age_ms"], 1500);
  EXPECT_TRUE(json[1]["heartbeat_age_ms"].is_null());
}

}  // namespace
}  // namespace legion
