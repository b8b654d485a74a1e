#include <legion/event/policy.hpp>

#include <set>

#include <gtest/gtest.h>

namespace legion {
namespace {

TopicRule rule(std::string_view prefix) {
  TopicRule out;
  out.prefix = Filter::parse(prefix).value();
  return out;
}

template <class Change>
TopicRule rule(std::string_view prefix, Change change) {
  TopicRule out = rule(prefix);
  change(out);
  return out;
}

TEST(PolicyTable, WithoutRulesTheCatalogDecides) {
  const PolicyTable table;
  const TopicPolicy trade = table.resolve("trade.approved");
  EXPECT_EQ(trade.priority, Priority::Critical);
  EXPECT_EQ(trade.durability, Durability::Confirmed);
  EXPECT_EQ(trade.deliver, Deliver::AfterConfirm);
  EXPECT_EQ(trade.spools, 1);
  EXPECT_EQ(trade.shards, 1);

  const TopicPolicy heartbeat = table.resolve("agent.heartbeat");
  EXPECT_EQ(heartbeat.durability, Durability::None);
  EXPECT_EQ(heartbeat.spools, 0);

  const TopicPolicy unknown = table.resolve("weather.report");
  EXPECT_EQ(unknown, TopicPolicy{});
  EXPECT_EQ(unknown.priority, Priority::Normal);
  EXPECT_EQ(unknown.durability, Durability::Captured);
}

TEST(PolicyTable, AReplayIsLikeItsOriginalAndNeverJournalled) {
  const PolicyTable table({rule("trade.", [](TopicRule& r) {
    r.shards = 4;
    r.max_bytes = 100;
    r.ttl = 5s;
  })});
  for (const char* type : {"~replay.trade.approved", "~replay_to.trade.approved"}) {
    const TopicPolicy replay = table.resolve(type);
    EXPECT_EQ(replay.priority, Priority::Critical) << type;
    EXPECT_EQ(replay.shards, 4);
    EXPECT_GE(replay.max_bytes, 100u + 2 * 1024u) << "the id of the original needs room";
    EXPECT_LT(replay.max_bytes, 100u + 4 * 1024u);
    EXPECT_EQ(replay.durability, Durability::None);
    EXPECT_EQ(replay.deliver, Deliver::Live);
    EXPECT_EQ(replay.spools, 0);
    EXPECT_EQ(replay.ttl, std::nullopt);
  }
}

TEST(PolicyTable, TheLongestPrefixDecidesEachKey) {
  const PolicyTable table({
      rule("trade.approved", [](TopicRule& r) { r.shards = 4; }),
      rule("*",
           [](TopicRule& r) {
             r.ttl = 1h;
             r.shards = 2;
             r.max_bytes = 10;
             r.schema = SchemaCheck::Strict;
             r.unknown_version = UnknownVersion::Quarantine;
           }),
      rule("trade.",
           [](TopicRule& r) {
             r.ttl = 5s;
             r.priority = Priority::Low;
             r.schema = SchemaCheck::Off;
           }),
  });
  const TopicPolicy trade = table.resolve("trade.approved");
  EXPECT_EQ(trade.shards, 4);
  EXPECT_EQ(trade.ttl, Duration{5s});
  EXPECT_EQ(trade.priority, Priority::Low);
  EXPECT_EQ(trade.max_bytes, 10u);
  EXPECT_EQ(trade.schema, SchemaCheck::Off);
  EXPECT_EQ(trade.unknown_version, UnknownVersion::Quarantine);
  EXPECT_EQ(table.resolve("weather.report").schema, SchemaCheck::Strict);
  EXPECT_EQ(trade.durability, Durability::Confirmed);
  EXPECT_EQ(table.resolve("trade.rejected").shards, 2);
  EXPECT_EQ(table.resolve("weather.report").ttl, Duration{1h});
  EXPECT_EQ(table.resolve("weather.report").priority, Priority::Normal);
  EXPECT_EQ(table.rules().front().prefix.text(), "*");
}

TEST(PolicyTable, OfTwoRulesForOnePrefixTheLaterWins) {
  const PolicyTable table(
      {rule("a.", [](TopicRule& r) { r.shards = 2; }), rule("a.", [](TopicRule& r) { r.shards = 3; })});
  EXPECT_EQ(table.resolve("a.b").shards, 3);
}

TEST(PolicyTable, ConfirmedByNoSpoolIsCapturedAndLive) {
  const PolicyTable table({rule("*", [](TopicRule& r) { r.spools = 0; })});
  const TopicPolicy trade = table.resolve("trade.approved");
  EXPECT_EQ(trade.durability, Durability::Captured);
  EXPECT_EQ(trade.deliver, Deliver::Live);
  EXPECT_EQ(trade.spools, 0);
  EXPECT_EQ(trade.priority, Priority::Critical);
}

TEST(PolicyTable, OnlyConfirmedTypesWaitForSpools) {
  const PolicyTable table({
      rule("trade.approved",
           [](TopicRule& r) {
             r.durability = Durability::Captured;
             r.spools = 2;
           }),
      rule("weather.report",
           [](TopicRule& r) {
             r.durability = Durability::Confirmed;
             r.deliver = Deliver::AfterConfirm;
           }),
      rule("order.", [](TopicRule& r) { r.spools = 3; }),
  });
  EXPECT_EQ(table.resolve("trade.approved").deliver, Deliver::Live);
  EXPECT_EQ(table.resolve("trade.approved").spools, 0);
  EXPECT_EQ(table.resolve("weather.report").deliver, Deliver::AfterConfirm);
  EXPECT_EQ(table.resolve("weather.report").spools, 1);
  EXPECT_EQ(table.resolve("order.requested").spools, 3);
}

TEST(PolicyHash, IsTheSameForRulesThatDecideAlike) {
  const auto shards = [](std::uint8_t n) { return [n](TopicRule& r) { r.shards = n; }; };
  const std::string plain = PolicyTable().hash();
  EXPECT_EQ(PolicyTable({rule("a.", [](TopicRule& r) {
              r.schema = SchemaCheck::Strict;
              r.unknown_version = UnknownVersion::Quarantine;
            })}).hash(),
            plain)
      << "each node looks at data as it likes";
  EXPECT_EQ(plain.size(), 16u);
  EXPECT_EQ(plain.find_first_not_of("0123456789abcdef"), std::string::npos);

  EXPECT_EQ(PolicyTable({rule("a.")}).hash(), plain);
  EXPECT_EQ(PolicyTable({rule("*", shards(1))}).hash(), plain);
  EXPECT_EQ(PolicyTable({rule("trade.approved", [](TopicRule& r) { r.priority = Priority::Critical; })}).hash(), plain);
  EXPECT_EQ(PolicyTable({rule("a.", shards(3)), rule("b.", shards(2))}).hash(),
            PolicyTable({rule("b.", shards(2)), rule("a.", shards(3))}).hash());
  EXPECT_EQ(PolicyTable({rule("a.", shards(3)), rule("a.b.", shards(3))}).hash(),
            PolicyTable({rule("a.", shards(3))}).hash());
  EXPECT_EQ(PolicyTable({rule("a.", shards(2)), rule("a.", shards(3))}).hash(),
            PolicyTable({rule("a.", shards(3))}).hash());
}

TEST(PolicyHash, DiffersForRulesThatDecideDifferently) {
  std::set<std::string> hashes{PolicyTable().hash()};
  const std::vector<std::vector<TopicRule>> tables{
      {rule("a.", [](TopicRule& r) { r.shards = 2; })},
      {rule("a.b", [](TopicRule& r) { r.shards = 2; })},
      {rule("*", [](TopicRule& r) { r.shards = 2; })},
      {rule("a.", [](TopicRule& r) { r.ttl = 2ns; })},
      {rule("a.", [](TopicRule& r) { r.max_bytes = 2; })},
      {rule("a.", [](TopicRule& r) { r.priority = Priority::Low; })},
      {rule("a.", [](TopicRule& r) { r.durability = Durability::None; })},
      {rule("trade.approved", [](TopicRule& r) { r.deliver = Deliver::Live; })},
      {rule("trade.approved", [](TopicRule& r) { r.spools = 2; })},
  };
  for (const auto& rules : tables) hashes.insert(PolicyTable(rules).hash());
  EXPECT_EQ(hashes.size(), tables.size() + 1);
}

TEST(ShardOf, IsStableAndFollowsTheKeyOrElseTheSource) {
  EXPECT_EQ(shard_of("BTC", "a/b", 1), 0);
  EXPECT_EQ(shard_of("BTC", "a/b", 0), 0);
  EXPECT_EQ(shard_of("BTC", "a/b", 16), shard_of("BTC", "c/d", 16));
  EXPECT_EQ(shard_of("", "BTC", 16), shard_of("BTC", "x", 16));
  std::set<int> seen;
  for (int i = 0; i < 200; ++i) seen.insert(shard_of(std::to_string(i), "", 8));
  EXPECT_EQ(seen.size(), 8u);
  EXPECT_EQ(*seen.rbegin(), 7);
}

TEST(PolicyNames, AreReadBack) {
  for (const auto d : {Durability::None, Durability::Captured, Durability::Confirmed}) {
    EXPECT_EQ(parse_durability(to_string(d)), d);
  }
  for (const auto d : {Deliver::Live, Deliver::AfterConfirm}) EXPECT_EQ(parse_deliver(to_string(d)), d);
  EXPECT_EQ(parse_durability("Confirmed"), std::nullopt);
  EXPECT_EQ(parse_deliver(""), std::nullopt);
}

}  // namespace
}  // namespace legion
