#include <algorithm>

#include <gtest/gtest.h>

#include <legion/daemon/options.hpp>

namespace legion {
namespace {

NodeConfig load(const std::string& text) {
  const auto config =
      parse_config("[node]\nname = \"n1\"\nstate_dir = \"/state\"\n" + text, "/etc/node.toml", {{}, {}, 4});
  EXPECT_TRUE(config.has_value()) << (config ? "" : to_string(config.error()[0]));
  return config.value_or(NodeConfig{});
}

NodeHostOptions options(const std::string& text) { return node_options(load(text), "0"); }

std::string topic(const std::string& prefix, int spools) {
  return "[[topic]]\nprefix = \"" + prefix + "\"\nspools = " + std::to_string(spools) + "\n";
}

TEST(NodeOptions, ASpoolHasItsRoleOnce) {
  EXPECT_FALSE(options("").spool.has_value());
  const NodeHostOptions plain = options("[spool]\n");
  EXPECT_EQ(plain.roles, std::vector<std::string>{"spool"});
  const NodeHostOptions told = options("roles = [\"risk\", \"spool\"]\n[spool]\n");
  EXPECT_EQ(told.roles, (std::vector<std::string>{"risk", "spool"}));
}

TEST(NodeOptions, CarryTheSpoolAndTheJournals) {
  const NodeHostOptions given = options(
      "[journal]\nconfirmed_bytes = \"2MiB\"\ncaptured_bytes = \"3MiB\"\n"
      "[spool]\nretain_for = \"1h\"\nretain_bytes = \"5MiB\"\nretention_force = true\n");
  EXPECT_EQ(given.journal.confirmed_bytes, 2u << 20);
  EXPECT_EQ(given.journal.captured_bytes, 3u << 20);
  ASSERT_TRUE(given.spool.has_value());
  EXPECT_EQ(given.spool->path, "/state/spool.db");
  EXPECT_EQ(given.spool->retention.retain_for, Duration(1h));
  EXPECT_EQ(given.spool->retention.retain_bytes, 5u << 20);
  EXPECT_EQ(given.spool->retention.cursors, RetentionPolicy::Cursors::Ignore);
}

TEST(NodeOptions, ExpectSpoolsUnlessTheyAreDeclined) {
  EXPECT_EQ(options("").journal.spools_expected, JournalOptions::SpoolsExpected::Yes);
  EXPECT_EQ(options(topic("*", 0)).journal.spools_expected, JournalOptions::SpoolsExpected::No);
}

TEST(SubscriptionOptions, CarryWhatMakesASubscriptionDurable) {
  const NodeConfig config = load(R"([[agent]]
name = "a"
exec = ["prog"]
[[agent.subscribe]]
type = "trade."
tier = "low"
[[agent.subscribe]]
type = "order."
durable = "orders"
start = "2026-11-21T10:00:00Z"
replay = true
)");
  const auto all = subscription_options(config.agents.at(0));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].spec.filter.text(), "trade.");
  EXPECT_EQ(all[0].spec.tier, Priority::Low);
  EXPECT_FALSE(all[0].durable.has_value());
  EXPECT_EQ(all[0].replays, SubscriptionOptions::Replays::No);
  ASSERT_TRUE(all[1].durable.has_value());
  EXPECT_EQ(all[1].durable->name, "orders");
  EXPECT_EQ(all[1].durable->start.kind, SubscriptionStart::Kind::Time);
  EXPECT_EQ(all[1].durable->start.time.ns, 1'795'255'200'000'000'000);
  EXPECT_EQ(all[1].replays, SubscriptionOptions::Replays::Yes);
}

TEST(ConfirmMeaning, IsWhatTheFirstLogLineSays) {
  const auto meaning = [](const std::string& text) { return confirm_meaning(load(text)); };
  const std::string nothing = "nothing durable (spools = 0: captured if there is a spool, and delivered at once)";
  EXPECT_EQ(meaning(""), "a confirm means on disk (fsync) at 1 spool");
  EXPECT_EQ(meaning(topic("*", 2)), "a confirm means on disk (fsync) at 2 spools");
  EXPECT_EQ(meaning(topic("*", 0)), "a confirm means " + nothing);
  EXPECT_EQ(meaning(topic("*", 0) + topic("order.", 1)),
            "a confirm means " + nothing + "; of order. on disk (fsync) at 1 spool");
  EXPECT_EQ(meaning(topic("risk.", 0)), "a confirm means on disk (fsync) at 1 spool; of risk. " + nothing);
  EXPECT_EQ(meaning("[spool]\n"),
            "a confirm means on disk (fsync) at 1 spool; this node is a spool: /state/spool.db, keeps everything");
  EXPECT_EQ(meaning("[spool]\nretain_for = \"30d\"\nretain_bytes = \"1GiB\"\n"),
            "a confirm means on disk (fsync) at 1 spool; this node is a spool: /state/spool.db, keeps 30d and at most 1GiB");
}

TEST(ConfirmMeaning, StaysOneLineHoweverManyExceptionsThereAre) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += topic("t" + std::to_string(i), 2);
  const std::string line = confirm_meaning(load(text));
  EXPECT_TRUE(line.ends_with("; and 16 more exceptions")) << line;
}

}  // namespace
}  // namespace legion
