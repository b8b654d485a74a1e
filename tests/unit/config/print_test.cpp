#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

using testing::inputs;
using testing::named;
using testing::parse;
using ::testing::HasSubstr;
using ::testing::Not;

// Every key away from its default, and characters that need care.
const std::string everything = R"(
[node]
name = "n1"
listen = "10.0.0.1:0"
advertise = "trader.example.org:0"
join = ["[2001:db8::1]:7500"]
state_dir = "/srv/a \"b\" \\ é"
redial_max = "1s500ms"
connect_timeout = "1234567us"
forget_after = "1d3h5m2s"
drain_timeout = "0"
local = false
roles = ["a", "b"]
[heartbeat]
interval = "100ms"
suspect_after = "300ms"
dead_after = "1001ms"
[dispatch]
workers = 8
capacity = { critical = 1, high = 2, normal = 3, low = 4 }
overflow = { high = "drop_newest" }
[retry]
max_attempts = 5
delay = "0"
backoff = 1.1
[publish]
queue = { critical = 10, low = 20 }
priority = "low"
batch_size = 5
[journal]
confirmed_bytes = "1048577B"
captured_bytes = "1GiB"
[spool]
path = "odd \"name\".db"
retain_for = "90s"
retain_bytes = "1048577B"
retention_force = true
[security]
mode = "none"
[log]
level = "off"
format = "json"
events = true
file = "/var/log/n1.log"
[[topic]]
prefix = "*"
priority = "low"
durability = "confirmed"
deliver = "after_confirm"
spools = 0
ttl = "1ms"
shards = 255
max_bytes = "65B"
schema = "off"
unknown_version = "dead_letter"
[[topic]]
prefix = "trade."
spools = 4
[[agent]]
name = "risk"
exec = ["sh", "-c", "echo \"hi\"\n\tdone"]
env = { "with space" = "a=b", PLAIN = "é" }
working_dir = "/"
restart_delay = "10ms"
restart_delay_max = "20ms"
concurrency = 2
handler_timeout = "0"
capacity = 7
overflow = "drop_newest"
retry = { max_attempts = 1, delay = "1ns", backoff = 100 }
[[agent.subscribe]]
type = "signal."
tier = 0
durable = "signals"
start = "2026-11-21T10:00:00.000000001Z"
replay = true
[[agent.subscribe]]
type = "trade."
durable = "trades"
start = "feed:42:1:trade.approved:0:17"
[[agent.subscribe]]
type = "order."
durable = "orders"
start = "beginning"
[[agent.subscribe]]
type = "*"
tier = "low"
[[agent]]
name = "feed"
builtin = "feed"
type = "demo.tick"
rate = 0.125
count = 9
start_after = "1ms"
wait_for_nodes = 2
fields = { a = "x", b = -5, c = 1e300, d = false, "e f" = 2.0 }
key = "a"
priority = "high"
[[agent]]
name = "log"
builtin = "log"
level = "error"
[[agent.subscribe]]
type = "*"
[[agent]]
name = "echo-prefix"
builtin = "echo"
prefix = "answer."
[[agent.subscribe]]
type = "demo."
[[agent]]
name = "echo-type"
builtin = "echo"
reply_type = "demo.pong"
[[agent.subscribe]]
type = "demo.ping"
[[agent]]
name = "sink"
builtin = "sink"
work = "5us"
file = "sink.jsonl"
fail_every = 4
[[agent.subscribe]]
type = "*"
)";

NodeConfig load(const std::string& text, const ConfigInputs& given = inputs()) {
  const auto config = parse(text, given);
  if (!config) {
    for (const auto& problem : config.error()) ADD_FAILURE() << to_string(problem);
    return {};
  }
  return *config;
}

TEST(PrintEffective, LoadsAgainAsTheSameConfiguration) {
  for (const std::string& text : {everything, named(""), named("[spool]\n")}) {
    const NodeConfig first = load(text);
    const std::string printed = print_effective(first);
    // From another place, with other defaults: everything has to be in the text itself.
    const auto second = parse_config(printed, "/elsewhere/printed.toml", {{{"HOME", "/other"}}, {}, 16});
    ASSERT_TRUE(second.has_value()) << to_string(second.error()[0]) << "\n" << printed;
    EXPECT_TRUE(first == *second) << printed << "\n---\n" << print_effective(*second);
    EXPECT_EQ(config_digest(first), config_digest(*second));
  }
}

TEST(PrintEffective, SaysWhereEveryValueCameFrom) {
  const std::string printed =
      print_effective(load(named("[heartbeat]\ninterval = \"500ms\"\n[[agent]]\nname = \"a\"\nexec = [\"prog\"]\n"),
                           inputs({{"LEGION_HEARTBEAT_DEAD_AFTER", "20s"}}, {"log.level=debug"})));
  EXPECT_THAT(printed, HasSubstr("interval = \"500ms\"  # /etc/node.toml:4\n"));
  EXPECT_THAT(printed, HasSubstr("suspect_after = \"3s\"  # default\n"));
  EXPECT_THAT(printed, HasSubstr("dead_after = \"20s\"  # environment LEGION_HEARTBEAT_DEAD_AFTER\n"));
  EXPECT_THAT(printed, HasSubstr("level = \"debug\"  # --set log.level\n"));
  EXPECT_THAT(printed, HasSubstr("workers = 4  # default, from the number of cores\n"));
  EXPECT_THAT(printed,
              HasSubstr("state_dir = \"/home/legion/.local/state/legion/n1\"  # default, from environment HOME\n"));
  EXPECT_THAT(printed, HasSubstr("# advertise is not set\n"));
  EXPECT_THAT(printed, HasSubstr("exec = [\"prog\"]  # /etc/node.toml:7\n"));
  EXPECT_THAT(printed, HasSubstr("max_attempts = 3  # from [retry]\n"));
}

TEST(PrintEffective, DoesNotTurnADefaultIntoTheOperatorsWordOnSecurity) {
  const std::string printed = print_effective(load(named("")));
  EXPECT_THAT(printed, HasSubstr("#mode = \"none\"  # default"));
  EXPECT_THAT(print_effective(load(named("[security]\nmode = \"none\"\n"))), HasSubstr("\nmode = \"none\"  # "));
}

TEST(PrintEffective, ShowsASpoolOnlyWhereThereIsOne) {
  EXPECT_THAT(print_effective(load(named(""))), Not(HasSubstr("[spool]")));
  const std::string printed = print_effective(load(named("[spool]\nretain_for = \"7d\"\n")));
  EXPECT_THAT(printed, HasSubstr("[spool]\npath = \"/home/legion/.local/state/legion/n1/spool.db\"  # default, in "
                                 "state_dir\nretain_for = \"7d\"  # /etc/node.toml:4\n# retain_bytes is not set\n"));
}

TEST(PrintEffective, AFileNameCannotBreakOutOfItsComment) {
  const auto config = parse_config(named(""), "/etc/x\n[retry]\nmax_attempts = 9 \xff", inputs());
  ASSERT_TRUE(config.has_value());
  const auto again = parse(print_effective(*config));
  ASSERT_TRUE(again.has_value()) << to_string(again.error()[0]);
  EXPECT_EQ(again->retry.max_attempts, 3u);
}

TEST(ConfigDigest, ChangesWithEveryValueAndWithNothingElse) {
  const std::string digest = config_digest(load(named("")));
  EXPECT_EQ(digest.size(), 16u);
  EXPECT_EQ(config_digest(load(named("# a remark\n[retry]\nmax_attempts = 3\n[security]\nmode = \"none\"\n"))), digest);
  EXPECT_NE(config_digest(load(named("[retry]\nmax_attempts = 4\n"))), digest);
  EXPECT_NE(config_digest(load(named("[[topic]]\nprefix = \"a.\"\n"))), digest);
}

}  // namespace
}  // namespace legion
