#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

using testing::inputs;
using testing::mistakes;
using testing::named;
using testing::parse;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string file = named("[heartbeat]\ninterval = \"500ms\"\n");

TEST(Overrides, StandAboveTheFileInTheirOrder) {
  const std::vector<std::pair<std::string, std::string>> environment{{"LEGION_HEARTBEAT_INTERVAL", "600ms"}};
  EXPECT_EQ(parse(file)->heartbeat.interval, 500ms);
  EXPECT_EQ(parse(file, inputs(environment))->heartbeat.interval, 600ms);
  EXPECT_EQ(parse(file, inputs(environment, {"heartbeat.interval=700ms"}))->heartbeat.interval, 700ms);
  EXPECT_EQ(parse(file, inputs({}, {"heartbeat.interval=700ms", "heartbeat.interval = \"800ms\""}))->heartbeat.interval,
            800ms);
}

TEST(Overrides, AreKnownByTheirSource) {
  const auto config = parse(file, inputs({{"LEGION_HEARTBEAT_DEAD_AFTER", "20s"}}, {"log.level=debug"}));
  EXPECT_EQ(config->origins.at("heartbeat.interval"), "/etc/node.toml:4");
  EXPECT_EQ(config->origins.at("heartbeat.dead_after"), "environment LEGION_HEARTBEAT_DEAD_AFTER");
  EXPECT_EQ(config->origins.at("log.level"), "--set log.level");
}

TEST(Overrides, WorkWithoutTheTableInTheFile) {
  EXPECT_EQ(parse("", inputs({{"LEGION_NODE_NAME", "n2"}}))->node.name, "n2");
}

TEST(Overrides, AreReadInTheFormTheKeyWants) {
  const auto config =
      parse(named(""), inputs({{"LEGION_NODE_JOIN", "10.0.0.1:7400, 10.0.0.2"},
                               {"LEGION_NODE_LOCAL", "0"},
                               {"LEGION_LOG_EVENTS", "TRUE"},
                               {"LEGION_LOG_LEVEL", "WARNING"},
                               {"LEGION_NODE_NAME", "7"},
                               {"LEGION_RETRY_BACKOFF", "3"},
                               {"LEGION_NODE_DRAIN_TIMEOUT", "0"}},
                              {"node.roles=[\"a\", \"b\"]", "dispatch.capacity={ low = 5 }", "publish.queue=7"}));
  ASSERT_TRUE(config.has_value()) << to_string(config.error()[0]);
  EXPECT_THAT(config->node.join, ElementsAre(Address{"10.0.0.1", 7400}, Address{"10.0.0.2", 7400}));
  EXPECT_FALSE(config->node.local);
  EXPECT_TRUE(config->log.events);
  EXPECT_EQ(config->log.level, LogLevel::Warn);
  EXPECT_EQ(config->node.name, "7");
  EXPECT_EQ(config->retry.backoff, 3.0);
  EXPECT_EQ(config->node.drain_timeout, 0s);
  EXPECT_THAT(config->node.roles, ElementsAre("a", "b"));
  EXPECT_THAT(config->dispatch.mailbox.capacity, ElementsAre(10000, 10000, 10000, 5));
  EXPECT_THAT(config->publish.queue, ElementsAre(7, 7, 7, 7));
}

TEST(Overrides, CannotSmuggleInOtherKeys) {
  EXPECT_THAT(
      mistakes(named(""), inputs({}, {"heartbeat.interval=\"1s\"\n[retry]\nmax_attempts=9"})),
      ElementsAre("--set heartbeat.interval: [heartbeat] interval: \"\\\"1s\\\"\\n[retry]\\nmax_attempts=9\" is not a "
                  "duration (for example \"250ms\" or \"1m30s\")"));
}

TEST(Overrides, RelativePathsStartAtTheWorkingDirectory) {
  const auto config = parse(named(""), inputs({}, {"node.state_dir=x"}));
  EXPECT_EQ(config->node.state_dir, (std::filesystem::current_path() / "x").string());
}

TEST(Overrides, OldNamesAreHonoured) {
  const auto config = parse(named(""), inputs({{"LEGION_CONSUMER_BUFFER_SIZE", "1000"},
                                               {"LEGION_CONSUMER_MAX_RETRIES", "3"},
                                               {"LEGION_CONSUMER_RETRY_DELAY_MS", "250"},
                                               {"LEGION_PUBLISHER_PRIORITY", "HIGH"},
                                               {"LEGION_PUBLISHER_BATCH_SIZE", "50"},
                                               {"LEGION_LOG_LEVEL", "ERROR"},
                                               {"LEGION_LOG_EVENTS", "true"}}));
  ASSERT_TRUE(config.has_value());
  EXPECT_THAT(config->dispatch.mailbox.capacity, ElementsAre(1000, 1000, 1000, 1000));
  EXPECT_EQ(config->retry.max_attempts, 4u);
  EXPECT_EQ(config->retry.delay, 250ms);
  EXPECT_EQ(config->publish.priority, Priority::High);
  EXPECT_EQ(config->publish.batch_size, 50u);
  EXPECT_EQ(config->log.level, LogLevel::Error);
  EXPECT_TRUE(config->log.events);
  EXPECT_THAT(config->notes,
              ElementsAre("environment LEGION_PUBLISHER_BATCH_SIZE: [publish] batch_size has no effect: batches "
                          "form by themselves from what is waiting to be sent"));
  EXPECT_EQ(config->origins.at("retry.max_attempts"), "environment LEGION_CONSUMER_MAX_RETRIES");
}

TEST(Overrides, NewNamesStandAboveOldOnes) {
  const auto config =
      parse(named(""), inputs({{"LEGION_RETRY_DELAY", "2s"}, {"LEGION_CONSUMER_RETRY_DELAY_MS", "250"}}));
  EXPECT_EQ(config->retry.delay, 2s);
}

TEST(Overrides, MistakesNameTheirSource) {
  EXPECT_THAT(
      mistakes(file, inputs({{"LEGION_HEARTBEAT_INTERVAL", "fast"}})),
      ElementsAre(
          "environment LEGION_HEARTBEAT_INTERVAL: [heartbeat] interval: \"fast\" is not a duration (for example "
          "\"250ms\" or \"1m30s\")"));
  EXPECT_THAT(
      mistakes(file, inputs({}, {"heartbeat.interval=20s"})),
      ElementsAre("--set heartbeat.interval: [heartbeat] suspect_after = 3s has to be longer than interval = 20s"));
  EXPECT_THAT(
      mistakes(file, inputs({{"LEGION_CONSUMER_MAX_RETRIES", "many"}})),
      ElementsAre(
          "environment LEGION_CONSUMER_MAX_RETRIES: expected a number of retries from 0 to 999, found \"many\""));
  EXPECT_THAT(mistakes(file, inputs({}, {"log.file=\xff"})),
              ElementsAre("--set log.file: [log] file: the value is not UTF-8 text"));
}

TEST(Overrides, UnknownNamesGetASuggestion) {
  EXPECT_THAT(mistakes(file, inputs({{"LEGION_HEARTBEAT_INTERVALL", "1s"}})),
              ElementsAre("environment LEGION_HEARTBEAT_INTERVALL: there is no such setting; did you mean "
                          "\"LEGION_HEARTBEAT_INTERVAL\"?"));
  EXPECT_THAT(mistakes(file, inputs({{"LEGION_CONSUMER_MAX_RETRY", "1"}})),
              ElementsAre("environment LEGION_CONSUMER_MAX_RETRY: there is no such setting; did you mean "
                          "\"LEGION_CONSUMER_MAX_RETRIES\"?"));
  EXPECT_THAT(mistakes(file, inputs({{"LEGION_SPOOL_PAHT", "x"}})),
              ElementsAre("environment LEGION_SPOOL_PAHT: there is no such setting; did you mean \"LEGION_SPOOL_PATH\"?"));
  EXPECT_THAT(mistakes(file, inputs({{"LEGION_METRICS_LISTEN", "x"}})),
              ElementsAre("environment LEGION_METRICS_LISTEN: this version has no [metrics]; unset the variable"));
  EXPECT_THAT(
      mistakes(file, inputs({}, {"heartbeat.intervall=1s"})),
      ElementsAre("--set heartbeat.intervall: unknown key \"intervall\" in [heartbeat]; did you mean \"interval\"?"));
  EXPECT_THAT(mistakes(file, inputs({}, {"hartbeat.interval=1s"})),
              ElementsAre("--set hartbeat.interval: unknown table [hartbeat]; did you mean \"heartbeat\"?"));
  EXPECT_THAT(mistakes(file, inputs({}, {"heartbeat.interval"})),
              ElementsAre("--set heartbeat.interval: expected --set table.key=value"));
  EXPECT_THAT(mistakes(file, inputs({}, {"interval=1s"})),
              ElementsAre("--set interval: expected --set table.key=value"));
  EXPECT_THAT(mistakes(file, inputs({}, {"agent.name=x"})),
              ElementsAre("--set agent.name: [[agent]] can only be written in the file"));
}

TEST(Overrides, OtherVariablesAreLeftAlone) {
  EXPECT_THAT(
      mistakes(file,
               inputs({{"LEGION_NODE", "10.0.0.1:7400"}, {"LEGION_SEED", "7"}, {"LEGION_BIN", "x"}, {"PATH", "/bin"}})),
      IsEmpty());
}

}  // namespace
}  // namespace legion
