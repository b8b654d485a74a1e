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
  EXPECT_EQ(json["degraded"], false);
  EXPECT_TRUE(json["journal"].is_null());
  EXPECT_TRUE(json["spool"].is_null());
  EXPECT_TRUE(book["durable"].is_null());
  EXPECT_TRUE(json["durable"].empty());
}

TEST(Stats, TellsWhichSubscriptionIsDurableAndHowFarItIs) {
  NodeSnapshot snapshot;
  snapshot.subscriptions.push_back({"desk", "trade.", Priority::High, {}, "orders"});
  snapshot.subscriptions[0].books.published = 3;
  snapshot.subscriptions[0].books.lost_for(LossReason::Gone) = 3;
  snapshot.durable.push_back({.name = "orders", .phase = DurablePhase::Active, .pending = 4});
  const auto json = as_json(encode(snapshot));
  EXPECT_EQ(json["subscriptions"][0]["durable"], "orders");
  EXPECT_EQ(json["subscriptions"][0]["lost"]["gone"], 3);
  EXPECT_EQ(json["subscriptions"][0]["balance"], 0);
  EXPECT_EQ(json["durable"][0]["name"], "orders");
  EXPECT_EQ(json["durable"][0]["phase"], "active");
  EXPECT_EQ(json["durable"][0]["pending"], 4);
}

TEST(Stats, TellsTheJournalsAndTheirLinks) {
  NodeSnapshot snapshot;
  snapshot.degraded = true;
  snapshot.journal.emplace();
  auto& confirmed = snapshot.journal->journals[journal_index(JournalKind::Confirmed)];
  confirmed.last = 90;
  confirmed.durable = 80;
  confirmed.unconfirmed_events = 11;
  confirmed.appended_events = 31;
  confirmed.durable_events = 20;
  snapshot.journal->waiting[journal_index(JournalKind::Confirmed)] = 11;
  snapshot.journal->journals[journal_index(JournalKind::Captured)].voided_events = 3;
  Journal::LinkFigures open;
  open.spool = "vault";
  open.state = Journal::LinkFigures::State::Open;
  open.store = StoreId{{0xab}};
  open.sent[journal_index(JournalKind::Confirmed)] = 85;
  open.acknowledged[journal_index(JournalKind::Confirmed)] = 80;
  Journal::LinkFigures refused;
  refused.state = Journal::LinkFigures::State::Refused;
  refused.trouble = "full";
  snapshot.journal->links = {open, refused};

  const auto json = as_json(encode(snapshot));

  EXPECT_EQ(json["degraded"], true);
  EXPECT_EQ(json["journal"]["confirmed"]["last"], 90);
  EXPECT_EQ(json["journal"]["confirmed"]["durable"], 80);
  EXPECT_EQ(json["journal"]["confirmed"]["unconfirmed_events"], 11);
  EXPECT_EQ(json["journal"]["confirmed"]["journalled_events"], 31);
  EXPECT_EQ(json["journal"]["confirmed"]["confirmed_events"], 20);
  EXPECT_EQ(json["journal"]["confirmed"]["waiting_events"], 11);
  EXPECT_EQ(json["journal"]["captured"]["voided_events"], 3);
  const auto& links = json["journal"]["links"];
  ASSERT_EQ(links.size(), 2u);
  EXPECT_EQ(links[0]["spool"], "vault");
  EXPECT_EQ(links[0]["state"], "open");
  EXPECT_EQ(links[0]["store"], "ab000000000000000000000000000000");
  EXPECT_EQ(links[0]["confirmed"]["sent"], 85);
  EXPECT_EQ(links[0]["confirmed"]["acknowledged"], 80);
  EXPECT_EQ(links[1]["state"], "refused");
  EXPECT_EQ(links[1]["trouble"], "full");
  EXPECT_TRUE(links[1]["store"].is_null());
}

TEST(Stats, TellsTheStoreOfASpool) {
  NodeSnapshot snapshot;
  SpoolSnapshot& spool = snapshot.spool.emplace();
  spool.path = "/var/lib/legion/spool.db";
  spool.figures.events = 12;
  spool.figures.next_commit = 5;
  spool.figures.last_commit = 1500us;
  spool.figures.oldest = WallTime{1'763'000'000'000'000'000};
  spool.inlet.bytes_waiting = 77;
  spool.catchup.adopted = 9;

  auto json = as_json(encode(snapshot));

  EXPECT_EQ(json["spool"]["path"], "/var/lib/legion/spool.db");
  EXPECT_EQ(json["spool"]["events"], 12);
  EXPECT_EQ(json["spool"]["mark"], 5);
  EXPECT_EQ(json["spool"]["last_commit_us"], 1500.0);
  EXPECT_EQ(json["spool"]["oldest"], "2025-11-13T02:13:20Z");
  EXPECT_TRUE(json["spool"]["newest"].is_null());
  EXPECT_TRUE(json["spool"]["frozen"].is_null());
  EXPECT_EQ(json["spool"]["bytes_waiting"], 77);
  EXPECT_EQ(json["spool"]["catchup"]["adopted"], 9);
  EXPECT_TRUE(json["spool"]["catchup"]["trouble"].is_null());

  spool.frozen = "no space left on device";
  EXPECT_EQ(as_json(encode(snapshot))["spool"]["frozen"], "no space left on device");
}

TEST(Nodes, HasTheMembersOfTheContract) {
  NodeRow row;
  row.view.member.name = "alpha";
  row.view.member.incarnation = 42;
  row.view.member.state = MemberState::Suspect;
  row.view.member.roles = {"risk"};
  row.view.member.endpoints.control = "tcp://10.0.0.5:7400";
  row.view.heartbeat_age = 1500ms;
  row.heartbeat.emplace();
  row.heartbeat->degraded = true;
  row.heartbeat->spool = StoreMark{{}, 1234, false};

  const auto json = as_json(encode(std::vector<NodeRow>{row, NodeRow{}}));

  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0]["name"], "alpha");
  EXPECT_EQ(json[0]["state"], "suspect");
  EXPECT_EQ(json[0]["incarnation"], 42);
  EXPECT_EQ(json[0]["roles"], nlohmann::json::array({"risk"}));
  EXPECT_EQ(json[0]["address"], "10.0.0.5:7400");
  EXPECT_EQ(json[0]["heartbeat_age_ms"], 1500);
  EXPECT_EQ(json[0]["degraded"], true);
  EXPECT_EQ(json[0]["spool_mark"], 1234);
  EXPECT_EQ(json[0]["spool_frozen"], false);
  EXPECT_TRUE(json[1]["heartbeat_age_ms"].is_null());
  EXPECT_EQ(json[1]["degraded"], false);
  EXPECT_TRUE(json[1]["spool_mark"].is_null());
}

}  // namespace
}  // namespace legion
