// One case per kind of mistake in an [[agent]], with its exact message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

using testing::mistakes;
using testing::named;
using ::testing::ElementsAre;

struct Mistake {
  const char* name;
  std::string agent;  ///< begins on line 4
  std::string message;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class AgentMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(AgentMistake, IsReportedWithItsPlace) {
  EXPECT_THAT(mistakes(named("[[agent]]\n" + GetParam().agent)), ElementsAre(GetParam().message));
}

const std::string exec = "name = \"a\"\nexec = [\"prog\"]\n";
const std::string feed = "name = \"a\"\nbuiltin = \"feed\"\n";
const std::string subscribed = "[[agent.subscribe]]\ntype = \"demo.\"\n";
const std::string nowhere =
    "[[agent.subscribe]] of [[agent]] \"a\" durable: this mesh has no spool that could remember \"d\": [[topic]] \"*\" says "
    "spools = 0, nothing else asks for one, and there is no [spool]";

INSTANTIATE_TEST_SUITE_P(
    Host, AgentMistake,
    ::testing::Values(
        Mistake{"NoName", "exec = [\"prog\"]", "node.toml:3: [[agent]] #1 has no name"},
        Mistake{"BadName", "name = \"A_1\"\nexec = [\"prog\"]",
                "node.toml:4: [[agent]] \"A_1\" name: \"A_1\" is not a name: 1 to 64 of a-z, 0-9 and '-'"},
        Mistake{"NameTwice", exec + "[[agent]]\n" + exec,
                "node.toml:7: [[agent]] \"a\" name: already used by the agent at node.toml:4"},
        Mistake{"NeitherExecNorBuiltin", "name = \"a\"",
                "node.toml:3: [[agent]] \"a\" has neither exec nor builtin, plugin or remote; it needs exactly one of them"},
        Mistake{"BothExecAndBuiltin", exec + "builtin = \"log\"",
                "node.toml:3: [[agent]] \"a\" has both exec and builtin; it needs exactly one of them"},
        Mistake{"ExecAndRemote", exec + "remote = true",
                "node.toml:3: [[agent]] \"a\" has both exec and remote; it needs exactly one of them"},
        Mistake{"NotRemote", "name = \"a\"\nremote = false",
                "node.toml:5: [[agent]] \"a\" remote: only true makes sense; leave the key out otherwise"},
        Mistake{"RemoteAsBuiltin", "name = \"a\"\nbuiltin = \"remote\"",
                "node.toml:5: [[agent]] \"a\" builtin: expected \"feed\", \"log\", \"echo\" or \"sink\", found "
                "\"remote\""},
        Mistake{"CreditOfZero", "name = \"a\"\nremote = true\ncredit = 0",
                "node.toml:6: [[agent]] \"a\" credit: must be from 1 to 10000, found 0"},
        Mistake{"NoSuchBuiltin", "name = \"a\"\nbuiltin = \"fed\"\nrate = 5",
                "node.toml:5: [[agent]] \"a\" builtin: expected \"feed\", \"log\", \"echo\" or \"sink\", found "
                "\"fed\"; did you "
                "mean \"feed\"?"},
        Mistake{"NoSuchPlugin", "name = \"a\"\nplugin = \"/nonexistent/libx.so\"",
                "node.toml:5: [[agent]] \"a\" plugin: there is no file \"/nonexistent/libx.so\""},
        Mistake{"BothExecAndPlugin", exec + "plugin = \"/nonexistent/libx.so\"",
                "node.toml:3: [[agent]] \"a\" has both exec and plugin; it needs exactly one of them"},
        Mistake{"SettingsOfABuiltin", feed + "rate = 1\nsettings = { limit = 5 }",
                "node.toml:7: unknown key \"settings\" in [[agent]] \"a\": it belongs to plugin, this agent is builtin = "
                "\"feed\""},
        Mistake{"ExecAsText", "name = \"a\"\nexec = \"prog\"",
                "node.toml:5: [[agent]] \"a\" exec: expected an array, found \"prog\""},
        Mistake{"EmptyExec", "name = \"a\"\nexec = []", "node.toml:5: [[agent]] \"a\" exec: names no program"},
        Mistake{"UnknownKey", exec + "concurency = 2",
                "node.toml:6: unknown key \"concurency\" in [[agent]] \"a\"; did you mean \"concurrency\"?"},
        Mistake{"KeyOfAnotherHost", exec + "fail_every = 2",
                "node.toml:6: unknown key \"fail_every\" in [[agent]] \"a\": it belongs to builtin = \"sink\", this "
                "agent is exec"},
        Mistake{"EnvironmentOfABuiltin", feed + "rate = 1\nenv = { A = \"b\" }",
                "node.toml:7: unknown key \"env\" in [[agent]] \"a\": it belongs to exec, this agent is builtin = "
                "\"feed\""},
        Mistake{"NumberInTheEnvironment", exec + "env = { LIMIT = 5 }",
                "node.toml:6: [[agent]] \"a\" env: LIMIT: expected a text, found the integer 5"},
        Mistake{"BadEnvironmentName", exec + "env = { \"A=B\" = \"x\" }",
                "node.toml:6: [[agent]] \"a\" env: \"A=B\" cannot be the name of an environment variable"},
        Mistake{"NoWorkingDirectory", exec + "working_dir = \"/nonexistent\"",
                "node.toml:6: [[agent]] \"a\" working_dir: \"/nonexistent\" is not a directory"},
        Mistake{"RestartDelaysSwapped", exec + "restart_delay = \"1m\"",
                "node.toml:6: [[agent]] \"a\" restart_delay = 1m is longer than restart_delay_max = 30s"},
        Mistake{"ConcurrencyOutOfRange", exec + "concurrency = 0",
                "node.toml:6: [[agent]] \"a\" concurrency: must be from 1 to 1024, found 0"},
        Mistake{
            "RetryNotATable", exec + "retry = 5",
            "node.toml:6: [[agent]] \"a\" retry: expected a table such as { max_attempts = 5 }, found the integer 5"},
        Mistake{"UnknownRetryKey", exec + "retry = { attempts = 5 }",
                "node.toml:6: unknown key \"attempts\" in [[agent]] \"a\" retry"},
        Mistake{"RetryOutOfRange", exec + "[agent.retry]\nbackoff = 1000.0",
                "node.toml:7: [[agent]] \"a\" retry backoff: must be from 1.0 to 100.0, found 1000.0"}),
    [](const auto& mistake) { return mistake.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Subscriptions, AgentMistake,
    ::testing::Values(
        Mistake{"NoType", exec + "[[agent.subscribe]]\ntier = 0",
                "node.toml:6: [[agent.subscribe]] of [[agent]] \"a\" has no type"},
        Mistake{"InvalidFilter", exec + "[[agent.subscribe]]\ntype = \"trade..x\"",
                "node.toml:7: [[agent.subscribe]] of [[agent]] \"a\" type: \"trade..x\" is not a filter: an event type "
                "(\"trade.approved\"), a family (\"trade.\") or \"*\""},
        Mistake{
            "NoSuchTier", exec + subscribed + "tier = 2",
            "node.toml:8: [[agent.subscribe]] of [[agent]] \"a\" tier: expected \"critical\", \"high\", \"normal\" or "
            "\"low\" (or 0, 1, 5, 10), found the integer 2"},
        Mistake{"UnknownKey", exec + subscribed + "teir = 0",
                "node.toml:8: unknown key \"teir\" in [[agent.subscribe]] of [[agent]] \"a\"; did you mean \"tier\"?"},
        Mistake{"TypeTwice", exec + subscribed + subscribed,
                "node.toml:9: [[agent.subscribe]] of [[agent]] \"a\" type: \"demo.\" is subscribed twice"},
        Mistake{"SingleBrackets", exec + "[agent.subscribe]\ntype = \"demo.\"",
                "node.toml:6: [[agent]] \"a\" subscribe: expected [[agent.subscribe]] tables, at most 256"},
        Mistake{"WhereIsNoText", exec + subscribed + "where = 5",
                "node.toml:8: [[agent.subscribe]] of [[agent]] \"a\" where: expected a condition such as \"data.price > "
                "100\", found the integer 5"},
        Mistake{"WhereThatDoesNotParse", exec + subscribed + "where = \"data.price >\"",
                "node.toml:8: [[agent.subscribe]] of [[agent]] \"a\" where: 1:13: expected a field or a value, found the "
                "end"}),
    [](const auto& mistake) { return mistake.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Durable, AgentMistake,
    ::testing::Values(
        Mistake{"BadName", exec + subscribed + "durable = \"D 1\"",
                "node.toml:8: [[agent.subscribe]] of [[agent]] \"a\" durable: \"D 1\" is not a name: 1 to 64 of a-z, "
                "0-9 and '-'"},
        Mistake{"NameTwice",
                exec + subscribed + "durable = \"d\"\n[[agent]]\nname = \"b\"\nexec = [\"prog\"]\n" + subscribed +
                    "durable = \"d\"",
                "node.toml:14: [[agent.subscribe]] of [[agent]] \"b\" durable: \"d\" is already the name of the one at "
                "node.toml:8"},
        Mistake{"StartOfAPlainOne", exec + subscribed + "start = \"beginning\"",
                "node.toml:8: [[agent.subscribe]] of [[agent]] \"a\" start: only a durable subscription has a start; "
                "write durable = \"NAME\" too"},
        Mistake{"NoSuchStart", exec + subscribed + "durable = \"d\"\nstart = \"yesterday\"",
                "node.toml:9: [[agent.subscribe]] of [[agent]] \"a\" start: expected \"now\", \"beginning\", a time such "
                "as \"2026-11-21T10:00:00Z\" or an event id, found \"yesterday\""},
        Mistake{"NoMeshWithSpools", exec + subscribed + "durable = \"d\"\n[[topic]]\nprefix = \"*\"\nspools = 0",
                "node.toml:8: " + nowhere},
        Mistake{"TypeThatNobodyStores", exec + "[[agent.subscribe]]\ntype = \"agent.health_check\"\ndurable = \"d\"",
                "node.toml:8: [[agent.subscribe]] of [[agent]] \"a\" durable: \"agent.health_check\" has durability "
                "\"none\": no spool stores these events, so there is nothing to resume from"},
        Mistake{"FamilyThatNobodyStores",
                exec + subscribed + "durable = \"d\"\n[[topic]]\nprefix = \"demo.\"\ndurability = \"none\"",
                "node.toml:8: [[agent.subscribe]] of [[agent]] \"a\" durable: \"demo.\" has durability \"none\": no spool "
                "stores these events, so there is nothing to resume from"}),
    [](const auto& mistake) { return mistake.param.name; });

const std::string grouped = subscribed + "group = \"g\"\nhome = \"vault\"\n";
const std::string of_a = "[[agent.subscribe]] of [[agent]] \"a\" ";

INSTANTIATE_TEST_SUITE_P(
    Group, AgentMistake,
    ::testing::Values(
        Mistake{"WithoutAHome", exec + subscribed + "group = \"g\"",
                "node.toml:8: " + of_a + "group: home = \"NODE\" is missing: the spool that says who has which share"},
        Mistake{"HomeOfNoGroup", exec + subscribed + "home = \"vault\"",
                "node.toml:8: " + of_a + "home: only a group has it; write group = \"NAME\" too"},
        Mistake{"SharesOfNoGroup", exec + subscribed + "durable = \"d\"\nshares = 4",
                "node.toml:9: " + of_a + "shares: only a group has it; write group = \"NAME\" too"},
        Mistake{"DurableBesides", exec + grouped + "durable = \"d\"",
                "node.toml:10: " + of_a + "durable: a group is durable under its own name; remove the key"},
        Mistake{"TooManyShares", exec + grouped + "shares = 257",
                "node.toml:10: " + of_a + "shares: must be from 1 to 256, found 257"},
        Mistake{"NoShares", exec + grouped + "shares = 0",
                "node.toml:10: " + of_a + "shares: must be from 1 to 256, found 0"},
        Mistake{"AGate", exec + grouped + "tier = \"critical\"",
                "node.toml:10: " + of_a + "tier: a gate is asked on every node, so it cannot be shared by a group"},
        Mistake{"Replays", exec + grouped + "replay = true",
                "node.toml:10: " + of_a + "replay: replays reach every member, so a group cannot take them"},
        Mistake{"TwiceInANode", exec + grouped + "[[agent]]\nname = \"b\"\nexec = [\"prog\"]\n" + grouped,
                "node.toml:15: [[agent.subscribe]] of [[agent]] \"b\" group: \"g\" is already the name of the one at "
                "node.toml:8"},
        Mistake{"TypeThatNobodyStores",
                exec + "[[agent.subscribe]]\ntype = \"agent.health_check\"\ngroup = \"g\"\nhome = \"vault\"",
                "node.toml:8: " + of_a + "group: \"agent.health_check\" has durability \"none\": no spool stores these "
                "events, so there is nothing to resume from"}),
    [](const auto& mistake) { return mistake.param.name; });

TEST(DurableMistakes, AFamilyMayHoldSomeTypesThatNobodyStores) {
  EXPECT_THAT(mistakes(named("[[topic]]\nprefix = \"demo.\"\ndurability = \"none\"\n[[topic]]\nprefix = \"demo.kept\"\n"
                             "durability = \"captured\"\n[[agent]]\n" +
                             exec + subscribed + "durable = \"d\"")),
              ElementsAre());
}

TEST(DurableMistakes, ASpoolOfItsOwnIsEnoughForADurableName) {
  EXPECT_THAT(mistakes(named("[spool]\n[[topic]]\nprefix = \"*\"\nspools = 0\n[[agent]]\n" + exec + subscribed +
                             "durable = \"d\"")),
              ElementsAre());
}

INSTANTIATE_TEST_SUITE_P(
    Builtins, AgentMistake,
    ::testing::Values(
        Mistake{"SyntheticWithoutPace", feed,
                "node.toml:5: [[agent]] \"a\" without a file there is no recorded speed: write rate = N (events a "
                "second) or "
                "speed = \"max\""},
        Mistake{"SyntheticAtOriginalSpeed", feed + "speed = \"10x\"",
                "node.toml:6: [[agent]] \"a\" without a file there is no recorded speed: write rate = N (events a "
                "second) or "
                "speed = \"max\""},
        Mistake{"SpeedAndRate", feed + "speed = \"max\"\nrate = 5",
                "node.toml:7: [[agent]] \"a\" has both speed and rate; it needs at most one of them"},
        Mistake{"BadSpeed", feed + "speed = \"fast\"",
                "node.toml:6: [[agent]] \"a\" speed: expected \"original\", \"max\" or a factor such as \"10x\", found "
                "\"fast\""},
        Mistake{"SpeedOutOfRange", feed + "speed = \"0x\"",
                "node.toml:6: [[agent]] \"a\" speed: the factor must be from 0.001x to 1000000x, found \"0x\""},
        Mistake{"RateOutOfRange", feed + "rate = 0",
                "node.toml:6: [[agent]] \"a\" rate: must be from 0.001 to 100000000.0, found 0.0"},
        Mistake{
            "RepeatWithoutFile", feed + "rate = 5\nrepeat = true",
            "node.toml:7: [[agent]] \"a\" repeat: there is no file to begin again; a synthetic feed goes on by itself"},
        Mistake{"FileNotThere", feed + "file = \"/nonexistent.csv\"",
                "node.toml:6: [[agent]] \"a\" file: \"/nonexistent.csv\" is not a file that can be read"},
        Mistake{"FeedOfHeartbeats", feed + "rate = 5\ntype = \"AGENT_HEARTBEAT\"",
                "node.toml:7: [[agent]] \"a\" type: \"agent.heartbeat\" is published by nodes only"},
        Mistake{"FeedOfAFamily", feed + "rate = 5\ntype = \"market.\"",
                "node.toml:7: [[agent]] \"a\" type: \"market.\" is not an event type: parts of a-z, 0-9 and '_' joined "
                "by dots, "
                "at most 120 bytes"},
        Mistake{"FeedThatListens", feed + "rate = 5\n" + subscribed,
                "node.toml:7: [[agent]] \"a\" subscribe: a feed only publishes and takes no subscriptions"},
        Mistake{"ConstantOfAWrongType", feed + "rate = 5\nfields = { at = 1979-05-27 }",
                "node.toml:7: [[agent]] \"a\" fields: at: expected text, a number or a boolean, found a date or time"},
        Mistake{"LogWithoutSubscription", "name = \"a\"\nbuiltin = \"log\"",
                "node.toml:5: [[agent]] \"a\" has nothing to do: it needs at least one [[agent.subscribe]]"},
        Mistake{"EchoThatAnswersItself", "name = \"a\"\nbuiltin = \"echo\"\n[[agent.subscribe]]\ntype = \"*\"",
                "node.toml:6: [[agent]] \"a\" subscribe: \"*\" matches the answers (echo.TYPE), so it would answer "
                "itself for ever"},
        Mistake{"EchoOfItsReplyType", "name = \"a\"\nbuiltin = \"echo\"\nreply_type = \"demo.pong\"\n" + subscribed,
                "node.toml:7: [[agent]] \"a\" subscribe: \"demo.\" matches the answers (demo.pong), so it would answer "
                "itself "
                "for ever"},
        Mistake{"EchoWithBothForms",
                "name = \"a\"\nbuiltin = \"echo\"\nreply_type = \"x.pong\"\nprefix = \"y.\"\n" + subscribed,
                "node.toml:7: [[agent]] \"a\" has both reply_type and prefix; it needs at most one of them"},
        Mistake{"EchoPrefixWithoutDot", "name = \"a\"\nbuiltin = \"echo\"\nprefix = \"y\"\n" + subscribed,
                "node.toml:6: [[agent]] \"a\" prefix: \"y\" does not end in '.'"}),
    [](const auto& mistake) { return mistake.param.name; });

TEST(AgentMistakes, AFeedKeyHasToBeAColumnOrAConstant) {
  const testing::ConfigDirectory directory;
  directory.write("trades.csv", "time, price,\"volume\"\r\n1,2,3\n");
  const std::string text = named("[[agent]]\n" + feed + "file = \"trades.csv\"\nfields = { symbol = \"X\" }\nkey = ");
  const auto load = [&](const std::string& key) {
    return load_config(directory.write("node.toml", text + key + "\n"), testing::inputs());
  };

  EXPECT_TRUE(load("\"volume\"").has_value());
  EXPECT_TRUE(load("\"symbol\"").has_value());
  const auto wrong = load("\"Price\"");

  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error()[0].line, 8u);
  EXPECT_EQ(wrong.error()[0].message,
            "[[agent]] \"a\" key: \"" + directory.path("trades.csv") + "\" has no column \"Price\"");
}

TEST(AgentMistakes, AFeedFileNeedsColumnNames) {
  const testing::ConfigDirectory directory;
  directory.write("empty.csv", "");
  const auto config = load_config(directory.write("node.toml", named("[[agent]]\n" + feed + "file = \"empty.csv\"\n")),
                                  testing::inputs());
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error()[0].message,
            "[[agent]] \"a\" file: \"" + directory.path("empty.csv") + "\" does not begin with a line of column names");
}

}  // namespace
}  // namespace legion
