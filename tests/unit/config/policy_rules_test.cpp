#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

PolicyTable table(const std::string& text) {
  const auto config = testing::parse(testing::named(text));
  EXPECT_TRUE(config.has_value());
  return PolicyTable(policy_rules(*config));
}

TEST(PolicyRules, ConfirmedTypesWaitForOneSpoolUnlessTheFileSaysOtherwise) {
  const TopicPolicy approved = table("").resolve("trade.approved");
  EXPECT_EQ(approved.durability, Durability::Confirmed);
  EXPECT_EQ(approved.spools, 1);
  EXPECT_EQ(approved.deliver, Deliver::AfterConfirm);
  EXPECT_EQ(table("[[topic]]\nprefix = \"trade.\"\nspools = 2").resolve("trade.approved").spools, 2);
  EXPECT_EQ(table("").resolve("market.data_received").spools, 0);
}

TEST(PolicyRules, WithNoSpoolsWrittenOutNothingWaitsForAConfirm) {
  const TopicPolicy policy = table("[[topic]]\nprefix = \"*\"\nspools = 0").resolve("trade.approved");
  EXPECT_EQ(policy.spools, 0);
  EXPECT_EQ(policy.durability, Durability::Captured);
  EXPECT_EQ(policy.deliver, Deliver::Live);
  EXPECT_EQ(policy.priority, Priority::Critical);
}

TEST(PolicyRules, PublishPriorityIsForTypesThatNothingElseDecides) {
  const PolicyTable policies =
      table("[publish]\npriority = \"low\"\n[[topic]]\nprefix = \"order.\"\npriority = \"high\"\n");
  EXPECT_EQ(policies.resolve("my.own").priority, Priority::Low);
  EXPECT_EQ(policies.resolve("trade.approved").priority, Priority::Critical);
  EXPECT_EQ(policies.resolve("market.data_received").priority, Priority::Normal);
  EXPECT_EQ(policies.resolve("order.requested").priority, Priority::High);
  EXPECT_EQ(policies.resolve("order.mine").priority, Priority::High);
  EXPECT_EQ(policies.resolve("agent.heartbeat").priority, Priority::Critical);
}

TEST(PolicyRules, AWideTopicWinsOverPublishPriorityAndTheCatalog) {
  const PolicyTable policies = table("[publish]\npriority = \"low\"\n[[topic]]\nprefix = \"*\"\npriority = \"high\"\n");
  EXPECT_EQ(policies.resolve("my.own").priority, Priority::High);
  EXPECT_EQ(policies.resolve("trade.approved").priority, Priority::High);
}

TEST(PolicyRules, WideTopicsLeaveHeartbeatsAlone) {
  const PolicyTable policies = table(
      "[[topic]]\nprefix = \"*\"\npriority = \"low\"\nshards = 4\nmax_bytes = \"64B\"\nttl = \"1ms\"\n"
      "[[topic]]\nprefix = \"agent.\"\ndurability = \"captured\"\n");
  const TopicPolicy heartbeat = policies.resolve("agent.heartbeat");
  EXPECT_EQ(heartbeat.priority, Priority::Critical);
  EXPECT_EQ(heartbeat.durability, Durability::None);
  EXPECT_EQ(heartbeat.shards, 1);
  EXPECT_EQ(heartbeat.max_bytes, limits::event_bytes_max);
  EXPECT_GT(*heartbeat.ttl, Duration(1h));
  EXPECT_EQ(policies.resolve("agent.error").priority, Priority::Low);
}

TEST(ExpectsSpools, UnlessTheFileDeclinesThemForEveryType) {
  const auto expected = [](const std::string& text) {
    const auto config = testing::parse(testing::named(text));
    EXPECT_TRUE(config.has_value()) << text;
    return config && expects_spools(*config);
  };
  const std::string none = "[[topic]]\nprefix = \"*\"\nspools = 0\n";
  EXPECT_TRUE(expected(""));
  EXPECT_TRUE(expected("[[topic]]\nprefix = \"trade.\"\nspools = 0\n"));
  EXPECT_FALSE(expected(none));
  EXPECT_FALSE(expected(none + "[[topic]]\nprefix = \"order.\"\nspools = 0\n"));
  EXPECT_TRUE(expected(none + "[[topic]]\nprefix = \"order.\"\nspools = 1\n"));
  EXPECT_TRUE(expected("[spool]\n" + none));
}

}  // namespace
}  // namespace legion
