// One case per kind of mistake in the plain tables and in [[topic]], with its exact message.
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
  std::string text;
  std::string message;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class ConfigMistake : public ::testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistake, IsReportedWithItsPlace) {
  EXPECT_THAT(mistakes(GetParam().text), ElementsAre(GetParam().message));
}

const std::string not_loopback =
    " is not loopback, and there is no authentication: whoever reaches the port can read every event and inject any, "
    "orders "
    "included; if the network itself keeps strangers out, say so with [security] mode = \"none\"";
const std::string port_run =
    " begins a run of 6 (control, four lanes, spool) that has to stay below 32768, where the system takes ports for "
    "outgoing "
    "connections; use 32762 or less, or 0";

INSTANTIATE_TEST_SUITE_P(
    Structure, ConfigMistake,
    ::testing::Values(
        Mistake{"UnknownKey", named("[heartbeat]\nintervall = \"1s\""),
                "node.toml:4: unknown key \"intervall\" in [heartbeat]; did you mean \"interval\"?"},
        Mistake{"UnknownKeyLikeNothing", named("[heartbeat]\nxyz = 1"),
                "node.toml:4: unknown key \"xyz\" in [heartbeat]"},
        Mistake{"KeyBegun", named("[heartbeat]\nsuspect = \"3s\""),
                "node.toml:4: unknown key \"suspect\" in [heartbeat]; did you mean \"suspect_after\"?"},
        Mistake{"KeyInTheWrongTable", named("[log]\ndead_after = \"3s\""),
                "node.toml:4: unknown key \"dead_after\" in [log]; it belongs to [heartbeat]"},
        Mistake{"UnknownTable", named("[hartbeat]\ninterval = \"1s\""),
                "node.toml:3: unknown table [hartbeat]; did you mean \"heartbeat\"?"},
        Mistake{"UnknownArrayOfTables", named("[[topics]]\nprefix = \"*\""),
                "node.toml:3: unknown table [topics]; did you mean \"topic\"?"},
        Mistake{"KeyOutsideAnyTable", "join = []\n[node]\nname = \"n1\"",
                "node.toml:1: unknown key \"join\" outside any table; did you mean [node] join?"},
        Mistake{"ValueInPlaceOfATable", "heartbeat = 3\n[node]\nname = \"n1\"",
                "node.toml:1: [heartbeat]: expected a table, found the integer 3"},
        Mistake{"DoubleBrackets", named("[[heartbeat]]\ninterval = \"1s\""),
                "node.toml:3: [heartbeat]: expected a table with single brackets, it is there once, found an array"},
        Mistake{"SingleBrackets", named("[topic]\nprefix = \"*\""),
                "node.toml:3: [topic] may be there several times: write [[topic]] with two brackets"},
        Mistake{"NoName", "[node]\nlisten = \"127.0.0.1\"",
                "node.toml:1: [node] has no name; every node needs one of its own"},
        Mistake{"EmptyFile", "", "node.toml: [node] has no name; every node needs one of its own"}),
    [](const auto& mistake) { return mistake.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, ConfigMistake,
    ::testing::Values(
        Mistake{"BadName", "[node]\nname = \"Trader 1\"",
                "node.toml:2: [node] name: \"Trader 1\" is not a name: 1 to 64 of a-z, 0-9 and '-'"},
        Mistake{"NumberForText", "[node]\nname = 7", "node.toml:2: [node] name: expected a name, found the integer 7"},
        Mistake{"NumberForDuration", named("[heartbeat]\ninterval = 1"),
                "node.toml:4: [heartbeat] interval: expected a duration such as \"250ms\", found the integer 1"},
        Mistake{
            "BadDurationUnit", named("[heartbeat]\ninterval = \"3 parsecs\""),
            "node.toml:4: [heartbeat] interval: \"3 parsecs\" is not a duration (for example \"250ms\" or \"1m30s\")"},
        Mistake{"DurationOutOfRange", named("[heartbeat]\ninterval = \"1ms\""),
                "node.toml:4: [heartbeat] interval: must be from 10ms to 1m, found 1ms"},
        Mistake{
            "BadSizeUnit", named("[journal]\nconfirmed_bytes = \"64 megs\""),
            "node.toml:4: [journal] confirmed_bytes: \"64 megs\" is not a size (for example \"64MiB\" or \"512KiB\")"},
        Mistake{"NumberForSize", named("[journal]\nconfirmed_bytes = 64"),
                "node.toml:4: [journal] confirmed_bytes: expected a size such as \"64MiB\", found the integer 64"},
        Mistake{"SizeOutOfRange", named("[journal]\ncaptured_bytes = \"1KiB\""),
                "node.toml:4: [journal] captured_bytes: must be from 1MiB to 1TiB, found 1KiB"},
        Mistake{"IntegerOutOfRange", named("[dispatch]\nworkers = 70000"),
                "node.toml:4: [dispatch] workers: must be from 1 to 256, found 70000"},
        Mistake{"NegativeInteger", named("[retry]\nmax_attempts = -1"),
                "node.toml:4: [retry] max_attempts: must be from 1 to 1000, found -1"},
        Mistake{"FloatForInteger", named("[retry]\nmax_attempts = 2.5"),
                "node.toml:4: [retry] max_attempts: expected an integer, found the number 2.5"},
        Mistake{"NumberOutOfRange", named("[retry]\nbackoff = 0.5"),
                "node.toml:4: [retry] backoff: must be from 1.0 to 100.0, found 0.5"},
        Mistake{"NotANumber", named("[retry]\nbackoff = nan"),
                "node.toml:4: [retry] backoff: must be from 1.0 to 100.0, found nan"},
        Mistake{"TextForBoolean", named("[log]\nevents = \"yes\""),
                "node.toml:4: [log] events: expected true or false, found \"yes\""},
        Mistake{"NoSuchChoice", named("[log]\nformat = \"xml\""),
                "node.toml:4: [log] format: expected one of \"text\", \"json\", found \"xml\""},
        Mistake{"TextForList", "[node]\nname = \"n1\"\njoin = \"10.0.0.1\"",
                "node.toml:3: [node] join: expected an array, found \"10.0.0.1\""},
        Mistake{"BadEntryOfAList", "[node]\nname = \"n1\"\nroles = [\n  \"feed\",\n  \"Risk!\",\n]",
                "node.toml:5: [node] roles: entry 2: \"Risk!\" is not a name: 1 to 64 of a-z, 0-9 and '-'"},
        Mistake{"RoleTwice", "[node]\nname = \"n1\"\nroles = [\"feed\", \"feed\"]",
                "node.toml:3: [node] roles: \"feed\" is there twice"},
        Mistake{"NoSuchLane", named("[dispatch]\ncapacity = { urgent = 5 }"),
                "node.toml:4: [dispatch] capacity: there is no lane \"urgent\"; the lanes are critical, high, normal "
                "and low"},
        Mistake{"LaneOutOfRange", named("[publish.queue]\nhigh = 10\nlow = 0"),
                "node.toml:5: [publish] queue: low: must be from 1 to 10000000, found 0"},
        Mistake{"NoSuchOverflow", named("[dispatch]\noverflow = \"block\""),
                "node.toml:4: [dispatch] overflow: expected one of \"drop_oldest\", \"drop_newest\", found \"block\""},
        Mistake{"NoSuchPriority", named("[publish]\npriority = 3"),
                "node.toml:4: [publish] priority: expected \"critical\", \"high\", \"normal\" or \"low\" (or 0, 1, 5, "
                "10), found "
                "the integer 3"},
        Mistake{"EmptyPath", named("[log]\nfile = \"\""), "node.toml:4: [log] file: is empty"}),
    [](const auto& mistake) { return mistake.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Addresses, ConfigMistake,
    ::testing::Values(
        Mistake{"BadAddress", "[node]\nname = \"n1\"\nlisten = \"http://x\"",
                "node.toml:3: [node] listen: \"http://x\" is not an address: only tcp:// is spoken between nodes (for "
                "example "
                "\"tcp://127.0.0.1:7400\")"},
        Mistake{"PortTooHigh", "[node]\nname = \"n1\"\nlisten = \"127.0.0.1:40000\"",
                "node.toml:3: [node] listen: port 40000" + port_run},
        Mistake{"RunCrossesTheLimit", "[node]\nname = \"n1\"\nlisten = \"127.0.0.1:32763\"",
                "node.toml:3: [node] listen: port 32763" + port_run},
        Mistake{"ListenNotLoopback", "[node]\nname = \"n1\"\nlisten = \"10.0.0.1:7400\"",
                "node.toml:3: [node] listen: tcp://10.0.0.1:7400" + not_loopback},
        Mistake{"ListenOnANameNotLoopback", "[node]\nname = \"n1\"\nlisten = \"trader.example.org\"",
                "node.toml:3: [node] listen: tcp://trader.example.org:7400" + not_loopback},
        Mistake{"AdvertiseNotLoopback", "[node]\nname = \"n1\"\nadvertise = \"10.0.0.1:7400\"",
                "node.toml:3: [node] advertise: tcp://10.0.0.1:7400" + not_loopback},
        Mistake{"EveryInterfaceWithoutAdvertise",
                "[node]\nname = \"n1\"\nlisten = \"0.0.0.0\"\n[security]\nmode = \"none\"",
                "node.toml:3: [node] listen: tcp://0.0.0.0:7400 is every interface, which others cannot connect to; "
                "write what "
                "they should use as advertise = \"tcp://HOST:PORT\""},
        Mistake{"AdvertiseEveryInterface", "[node]\nname = \"n1\"\nadvertise = \"[::]\"\n[security]\nmode = \"none\"",
                "node.toml:3: [node] advertise: tcp://[::]:7400 cannot be connected to"},
        Mistake{
            "AdvertiseAPortWhereAnyIsTaken",
            "[node]\nname = \"n1\"\nlisten = \"127.0.0.1:0\"\nadvertise = \"127.0.0.1:7400\"",
            "node.toml:4: [node] advertise: listen takes any free port, so advertise cannot name one; write port 0"},
        Mistake{"JoinWithoutPort", "[node]\nname = \"n1\"\njoin = [\"10.0.0.1:0\"]",
                "node.toml:3: [node] join: tcp://10.0.0.1:0 has no port to connect to"},
        Mistake{"JoinEveryInterface", "[node]\nname = \"n1\"\njoin = [\"0.0.0.0\"]",
                "node.toml:3: [node] join: tcp://0.0.0.0:7400 cannot be connected to"},
        Mistake{"NoSuchSecurity", named("[security]\nmode = \"curve\""),
                "node.toml:4: [security] mode: expected \"none\", found \"curve\"; this version has no authentication "
                "and no "
                "encryption"},
        Mistake{"SecurityKeyOfLater", named("[security]\nsecret_key_file = \"k\""),
                "node.toml:4: unknown key \"secret_key_file\" in [security]: this version has no authentication and no "
                "encryption; the only key is mode = \"none\""}),
    [](const auto& mistake) { return mistake.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Together, ConfigMistake,
    ::testing::Values(
        Mistake{"IntervalNotBelowSuspect", named("[heartbeat]\ninterval = \"4s\""),
                "node.toml:4: [heartbeat] suspect_after = 3s has to be longer than interval = 4s"},
        Mistake{"SuspectNotBelowDead", named("[heartbeat]\nsuspect_after = \"10s\""),
                "node.toml:4: [heartbeat] dead_after = 10s has to be longer than suspect_after = 10s"},
        Mistake{"ForgetNotAboveDead", "[node]\nname = \"n1\"\nforget_after = \"5s\"",
                "node.toml:3: [node] forget_after = 5s has to be longer than [heartbeat] dead_after = 10s"},
        Mistake{"StateDirTooLongForSockets", "[node]\nname = \"n1\"\nstate_dir = \"/" + std::string(80, 'x') + "\"",
                "node.toml:3: [node] state_dir: \"/" + std::string(80, 'x') +
                    "\" is 81 bytes long; the ipc sockets in it leave room for 80; choose a shorter one or write local "
                    "= false"}),
    [](const auto& mistake) { return mistake.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Topics, ConfigMistake,
    ::testing::Values(
        Mistake{"NoPrefix", named("[[topic]]\npriority = \"low\""), "node.toml:3: [[topic]] #1 has no prefix"},
        Mistake{"BadPrefix", named("[[topic]]\nprefix = \"trade*\""),
                "node.toml:4: [[topic]] \"trade*\" prefix: \"trade*\" is not a filter: an event type "
                "(\"trade.approved\"), a "
                "family (\"trade.\") or \"*\""},
        Mistake{"ReservedPrefix", named("[[topic]]\nprefix = \"~record\""),
                "node.toml:4: [[topic]] \"~record\" prefix: \"~record\" is not a filter: an event type "
                "(\"trade.approved\"), a "
                "family (\"trade.\") or \"*\""},
        Mistake{"UnknownTopicKey", named("[[topic]]\nprefix = \"a.\"\npriorty = \"low\""),
                "node.toml:5: unknown key \"priorty\" in [[topic]] \"a.\"; did you mean \"priority\"?"},
        Mistake{"PrefixTwice", named("[[topic]]\nprefix = \"a.\"\n[[topic]]\nprefix = \"a.\""),
                "node.toml:6: [[topic]] \"a.\" is there twice; write one table with all its keys"},
        Mistake{"TooLargeEvents", named("[[topic]]\nprefix = \"a.\"\nmax_bytes = \"2MiB\""),
                "node.toml:5: [[topic]] \"a.\" max_bytes: must be from 64B to 1MiB, found 2MiB"},
        Mistake{"TooManyShards", named("[[topic]]\nprefix = \"a.\"\nshards = 256"),
                "node.toml:5: [[topic]] \"a.\" shards: must be from 1 to 255, found 256"},
        Mistake{
            "HeartbeatPolicy", named("[[topic]]\nprefix = \"agent.heartbeat\"\npriority = \"low\""),
            "node.toml:4: [[topic]] \"agent.heartbeat\": heartbeats carry liveness and cannot be given another policy"},
        Mistake{"TooManySpools", named("[[topic]]\nprefix = \"trade.\"\nspools = 5"),
                "node.toml:5: [[topic]] \"trade.\" spools: must be from 0 to 4, found 5"},
        Mistake{"MetricsTable", named("[metrics]\nlisten = \"x\""),
                "node.toml:3: [metrics]: this version serves no metrics; remove the table"}),
    [](const auto& mistake) { return mistake.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Spool, ConfigMistake,
    ::testing::Values(
        Mistake{"UnknownSpoolKey", named("[spool]\nretain = \"1d\""),
                "node.toml:4: unknown key \"retain\" in [spool]; did you mean \"retain_for\"?"},
        Mistake{"SpoolTwice", named("[[spool]]\npath = \"x\""),
                "node.toml:3: [spool]: expected a table with single brackets, it is there once, found an array"},
        Mistake{"EmptyPath", named("[spool]\npath = \"\""), "node.toml:4: [spool] path: is empty"},
        Mistake{"PathIsADirectory", named("[spool]\npath = \"/tmp\""),
                "node.toml:4: [spool] path: \"/tmp\" is a directory, not a file"},
        Mistake{"PathOfADirectoryToBe", named("[spool]\npath = \"spool/\""),
                "node.toml:4: [spool] path: \"/home/legion/.local/state/legion/n1/spool/\" is a directory, not a file"},
        Mistake{"RetainNothing", named("[spool]\nretain_for = \"0s\""),
                "node.toml:4: [spool] retain_for: must be from 1s to 36500d, found 0s"},
        Mistake{"RetainLessThanNothing", named("[spool]\nretain_for = \"-1h\""),
                "node.toml:4: [spool] retain_for: \"-1h\" is not a duration (for example \"250ms\" or \"1m30s\")"},
        Mistake{"RetainTooFewBytes", named("[spool]\nretain_bytes = \"1KiB\""),
                "node.toml:4: [spool] retain_bytes: must be from 1MiB to 1024TiB, found 1KiB"},
        Mistake{"RoleWithoutTheTable", named("roles = [\"spool\"]"),
                "node.toml:3: [node] roles: \"spool\" is the role of a node with a [spool] table, and there is none"},
        Mistake{"EventThatNeverFits",
                named("[journal]\nconfirmed_bytes = \"1MiB\"\n[[topic]]\nprefix = \"big\"\nmax_bytes = \"600KiB\""),
                "node.toml:4: [journal] confirmed_bytes = 1MiB has to be at least twice the largest event: a [[topic]] has "
                "max_bytes = 600KiB"}),
    [](const auto& mistake) { return mistake.param.name; });

TEST(ConfigMistakes, AreAllCollectedInTheOrderOfTheFile) {
  EXPECT_THAT(
      mistakes("[node]\nname = \"N\"\n[retry]\nbackof = 2\nmax_attempts = 0\n[heartbeat]\ninterval = 1\n"),
      ElementsAre("node.toml:2: [node] name: \"N\" is not a name: 1 to 64 of a-z, 0-9 and '-'",
                  "node.toml:4: unknown key \"backof\" in [retry]; did you mean \"backoff\"?",
                  "node.toml:5: [retry] max_attempts: must be from 1 to 1000, found 0",
                  "node.toml:7: [heartbeat] interval: expected a duration such as \"250ms\", found the integer 1"));
}

TEST(ConfigMistakes, CarryTheKeyPath) {
  const auto config = testing::parse(named("[heartbeat]\ninterval = 1"));
  ASSERT_FALSE(config.has_value());
  ASSERT_EQ(config.error().size(), 1u);
  EXPECT_EQ(config.error()[0].file, "/etc/node.toml");
  EXPECT_EQ(config.error()[0].line, 4u);
  EXPECT_EQ(config.error()[0].key, "heartbeat.interval");
}

TEST(ConfigMistakes, TomlThatDoesNotParseNamesTheLine) {
  const auto lines = mistakes("[node]\nname = \"n1\"\njoin = [\"a\"\nlisten = 1\n");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], ::testing::StartsWith("node.toml:4: not TOML: "));
}

TEST(ConfigMistakes, AKeyWrittenTwiceIsASyntaxError) {
  const auto lines = mistakes("[node]\nname = \"n1\"\nname = \"n2\"\n");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], ::testing::StartsWith("node.toml:3: not TOML: "));
}

TEST(ConfigMistakes, AFileThatIsNotThere) {
  const auto config = load_config("/nonexistent/node.toml", testing::inputs());
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(to_string(config.error()[0]), "/nonexistent/node.toml: cannot be opened");
}

TEST(ConfigMistakes, NowhereToKeepState) {
  EXPECT_THAT(
      mistakes(named(""), {}),
      ElementsAre("node.toml:1: [node] state_dir is not set, and neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME says "
                  "where it could be"));
}

}  // namespace
}  // namespace legion
