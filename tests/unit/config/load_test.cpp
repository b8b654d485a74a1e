#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

using testing::inputs;
using testing::named;
using testing::parse;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

NodeConfig load(const std::string& text, const ConfigInputs& given = inputs()) {
  const auto config = parse(text, given);
  if (!config) {
    for (const auto& problem : config.error()) ADD_FAILURE() << to_string(problem);
    return {};
  }
  return *config;
}

TEST(Config, ANameIsEnough) {
  const NodeConfig config = load(named(""));

  EXPECT_EQ(config.node.name, "n1");
  EXPECT_EQ(config.node.listen, (Address{"127.0.0.1", 7400}));
  EXPECT_EQ(config.node.state_dir, "/home/legion/.local/state/legion/n1");
  EXPECT_EQ(config.node.forget_after, 24h * 7);
  EXPECT_TRUE(config.node.local);
  EXPECT_EQ(config.heartbeat.dead_after, 10s);
  EXPECT_EQ(config.dispatch.workers, 4u);
  EXPECT_EQ(config.retry.max_attempts, 3u);
  EXPECT_THAT(config.agents, IsEmpty());
  EXPECT_THAT(config.notes, IsEmpty());
}

TEST(Config, WorkersAreAtLeastTwo) {
  ConfigInputs single = inputs();
  single.cores = 1;
  EXPECT_EQ(load(named(""), single).dispatch.workers, 2u);
}

TEST(Config, StateDirectoryFollowsTheEnvironment) {
  const auto state_dir = [](std::vector<std::pair<std::string, std::string>> environment) {
    return load(named(""), inputs(std::move(environment))).node.state_dir;
  };
  EXPECT_EQ(state_dir({{"XDG_STATE_HOME", "/x/state"}}), "/x/state/legion/n1");
  EXPECT_EQ(state_dir({{"XDG_STATE_HOME", "/x/state"}, {"STATE_DIRECTORY", "/var/lib/legion/n1:/other"}}),
            "/var/lib/legion/n1");
  EXPECT_EQ(state_dir({{"XDG_STATE_HOME", "relative"}}), "/home/legion/.local/state/legion/n1");
}

TEST(Config, ReadsEveryPlainTable) {
  const NodeConfig config = load(R"(
[node]
name = "n1"
listen = "tcp://0.0.0.0:0"
advertise = "[2001:db8::1]:0"
join = ["10.0.0.1", "tcp://member.example.org:7500"]
state_dir = "state"
redial_max = "1s"
connect_timeout = "1500ms"
forget_after = "1d"
drain_timeout = "0"
local = false
roles = ["feed"]
[heartbeat]
interval = "100ms"
suspect_after = "300ms"
dead_after = "1s"
[dispatch]
workers = 8
capacity = 500
overflow = { critical = "drop_newest", low = "drop_newest" }
[retry]
max_attempts = 5
delay = "1s"
backoff = 1
[publish]
queue = { critical = 10 }
priority = "LOW"
[journal]
captured_bytes = "1GiB"
[security]
mode = "none"
[log]
level = "Debug"
format = "json"
events = true
file = "../log/n1.log"
)");

  EXPECT_EQ(config.node.listen, (Address{"0.0.0.0", 0}));
  EXPECT_EQ(config.node.advertise, (Address{"2001:db8::1", 0}));
  EXPECT_THAT(config.node.join, ElementsAre(Address{"10.0.0.1", 7400}, Address{"member.example.org", 7500}));
  EXPECT_EQ(config.node.state_dir, "/etc/state");
  EXPECT_EQ(config.node.redial_max, 1s);
  EXPECT_EQ(config.node.connect_timeout, 1500ms);
  EXPECT_EQ(config.node.drain_timeout, 0s);
  EXPECT_FALSE(config.node.local);
  EXPECT_THAT(config.node.roles, ElementsAre("feed"));
  EXPECT_EQ(config.heartbeat, (HeartbeatConfig{100ms, 300ms, 1s}));
  EXPECT_EQ(config.dispatch.workers, 8u);
  EXPECT_THAT(config.dispatch.mailbox.capacity, ElementsAre(500, 500, 500, 500));
  using enum MailboxConfig::Overflow;
  EXPECT_THAT(config.dispatch.mailbox.overflow, ElementsAre(DropNewest, DropOldest, DropOldest, DropNewest));
  EXPECT_EQ(config.retry, (RetryConfig{5, 1s, 1.0}));
  EXPECT_THAT(config.publish.queue, ElementsAre(10, 8192, 8192, 8192));
  EXPECT_EQ(config.publish.priority, Priority::Low);
  EXPECT_EQ(config.journal.captured_bytes, 1ull << 30);
  EXPECT_EQ(config.log.level, LogLevel::Debug);
  EXPECT_EQ(config.log.format, LogFormat::Json);
  EXPECT_TRUE(config.log.events);
  EXPECT_EQ(config.log.file, "/log/n1.log");
}

TEST(Config, ReadsTopics) {
  const NodeConfig config = load(named(R"([[topic]]
prefix = "TRADE_APPROVED"
priority = 1
durability = "none"
deliver = "live"
spools = 0
ttl = "30s"
shards = 8
max_bytes = "1KiB"
schema = "strict"
unknown_version = "quarantine"
[[topic]]
prefix = "*"
)"));

  ASSERT_EQ(config.topics.size(), 2u);
  const TopicRule& rule = config.topics[0];
  EXPECT_EQ(rule.prefix.text(), "trade.approved");
  EXPECT_EQ(rule.priority, Priority::High);
  EXPECT_EQ(rule.durability, Durability::None);
  EXPECT_EQ(rule.deliver, Deliver::Live);
  EXPECT_EQ(rule.spools, 0);
  EXPECT_EQ(rule.ttl, Duration(30s));
  EXPECT_EQ(rule.shards, 8);
  EXPECT_EQ(rule.max_bytes, 1024u);
  EXPECT_EQ(rule.schema, SchemaCheck::Strict);
  EXPECT_EQ(rule.unknown_version, UnknownVersion::Quarantine);
  EXPECT_FALSE(config.topics[1].priority.has_value());
}

TEST(Config, ReadsAnExecAgent) {
  const NodeConfig config = load(named(R"([[agent]]
name = "risk"
exec = ["python3", "risk.py"]
env = { B = "2", A = "1" }
working_dir = "/"
concurrency = 4
handler_timeout = "5s"
restart_delay = "2s"
[[agent.subscribe]]
type = "signal."
tier = 0
[[agent.subscribe]]
type = "trade.executed"
)"));

  ASSERT_EQ(config.agents.size(), 1u);
  const AgentConfig& agent = config.agents[0];
  const auto& exec = std::get<ExecConfig>(agent.host);
  EXPECT_EQ(agent.name, "risk");
  EXPECT_THAT(exec.command, ElementsAre("python3", "risk.py"));
  EXPECT_THAT(exec.env, ElementsAre(std::pair("A", "1"), std::pair("B", "2")));
  EXPECT_EQ(exec.working_dir, "/");
  EXPECT_EQ(exec.restart_delay, 2s);
  EXPECT_EQ(agent.concurrency, 4u);
  EXPECT_EQ(exec.handler_timeout, 5s);
  ASSERT_EQ(agent.subscribe.size(), 2u);
  EXPECT_EQ(agent.subscribe[0].tier, Priority::Critical);
  EXPECT_EQ(agent.subscribe[1].type.text(), "trade.executed");
  EXPECT_EQ(agent.subscribe[1].tier, Priority::Normal);
}

TEST(Config, ProgramsStartInTheDirectoryOfTheFile) {
  const NodeConfig config = load(named("[[agent]]\nname = \"a\"\nexec = [\"prog\"]\n"));
  EXPECT_EQ(std::get<ExecConfig>(config.agents.at(0).host).working_dir, "/etc");
}

TEST(Config, AgentsInheritWhatTheyDoNotSay) {
  const NodeConfig config = load(named(R"([dispatch]
capacity = 500
overflow = "drop_newest"
[retry]
max_attempts = 7
delay = "1s"
[[agent]]
name = "plain"
exec = ["prog"]
[[agent]]
name = "special"
exec = ["prog"]
capacity = { low = 5 }
[agent.retry]
delay = "2s"
)"));

  using enum MailboxConfig::Overflow;
  EXPECT_EQ(config.agents[0].mailbox, config.dispatch.mailbox);
  EXPECT_EQ(config.agents[0].retry, config.retry);
  EXPECT_THAT(config.agents[1].mailbox.capacity, ElementsAre(500, 500, 500, 5));
  EXPECT_THAT(config.agents[1].mailbox.overflow, ElementsAre(DropNewest, DropNewest, DropNewest, DropNewest));
  EXPECT_EQ(config.agents[1].retry, (RetryConfig{7, 2s, 2.0}));
}

TEST(Config, ReadsTheBuiltins) {
  const NodeConfig config = load(named(R"([[agent]]
name = "feed"
builtin = "feed"
type = "demo.tick"
rate = 250.5
count = 10
start_after = "1s"
wait_for_nodes = 3
fields = { symbol = "XBT/USDT", live = true, lot = 5, step = 0.25 }
key = "symbol"
priority = "critical"
[[agent]]
name = "fast"
builtin = "feed"
speed = "max"
[[agent]]
name = "log"
builtin = "log"
level = "debug"
[[agent.subscribe]]
type = "*"
[[agent]]
name = "echo"
builtin = "echo"
reply_type = "demo.pong"
[[agent.subscribe]]
type = "demo.ping"
[[agent]]
name = "sink"
builtin = "sink"
work = "5us"
file = "/tmp/sink.jsonl"
fail_every = 3
[[agent.subscribe]]
type = "*"
)"));

  ASSERT_EQ(config.agents.size(), 5u);
  const auto& feed = std::get<FeedConfig>(config.agents[0].host);
  EXPECT_EQ(feed.type, "demo.tick");
  EXPECT_FALSE(feed.file.has_value());
  EXPECT_EQ(feed.pace, (FeedPace{FeedPace::Kind::Rate, 1.0, 250.5}));
  EXPECT_EQ(feed.count, 10u);
  EXPECT_EQ(feed.start_after, 1s);
  EXPECT_EQ(feed.wait_for_nodes, 3u);
  EXPECT_THAT(
      feed.fields,
      ElementsAre(std::pair("live", FeedConstant(true)), std::pair("lot", FeedConstant(std::int64_t{5})),
                  std::pair("step", FeedConstant(0.25)), std::pair("symbol", FeedConstant(std::string("XBT/USDT")))));
  EXPECT_EQ(feed.key, "symbol");
  EXPECT_EQ(feed.priority, Priority::Critical);
  EXPECT_EQ(std::get<FeedConfig>(config.agents[1].host).pace.kind, FeedPace::Kind::Max);
  EXPECT_EQ(std::get<LogAgentConfig>(config.agents[2].host).level, LogLevel::Debug);
  EXPECT_EQ(std::get<EchoConfig>(config.agents[3].host).reply_type, "demo.pong");
  EXPECT_EQ(std::get<SinkConfig>(config.agents[4].host), (SinkConfig{5us, "/tmp/sink.jsonl", 3}));
}

TEST(Config, AFeedPlaysAFileAtTheSpeedAskedFor) {
  const testing::ConfigDirectory directory;
  directory.write("trades.csv", "time,price\n1,2\n");
  const auto pace = [&](const std::string& line) {
    const auto config = load_config(directory.write("node.toml", named("[[agent]]\nname = \"f\"\nbuiltin = \"feed\"\n"
                                                                       "file = \"trades.csv\"\n" + line)),
                                    inputs());
    EXPECT_TRUE(config.has_value()) << line;
    const auto& feed = std::get<FeedConfig>(config.value().agents.at(0).host);
    EXPECT_EQ(feed.file, directory.path("trades.csv"));
    return feed.pace;
  };
  EXPECT_EQ(pace(""), (FeedPace{FeedPace::Kind::Recorded, 1.0, 0.0}));
  EXPECT_EQ(pace("speed = \"original\""), (FeedPace{FeedPace::Kind::Recorded, 1.0, 0.0}));
  EXPECT_EQ(pace("speed = \"2.5x\""), (FeedPace{FeedPace::Kind::Recorded, 2.5, 0.0}));
  EXPECT_EQ(pace("rate = 100"), (FeedPace{FeedPace::Kind::Rate, 1.0, 100.0}));
}

TEST(Config, BeyondLoopbackIsAcceptedOnceSecurityIsWrittenOut) {
  const std::string open = "[node]\nname = \"n1\"\nlisten = \"10.0.0.1:7400\"\n";
  EXPECT_FALSE(parse(open).has_value());
  EXPECT_TRUE(parse(open + "[security]\nmode = \"none\"\n").has_value());
  EXPECT_TRUE(parse(open, inputs({{"LEGION_SECURITY_MODE", "none"}})).has_value());
}

TEST(Config, ThePortRunMayEndJustBelowTheLimit) {
  EXPECT_TRUE(parse("[node]\nname = \"n1\"\nlisten = \"127.0.0.1:32762\"\n").has_value());
}

TEST(Config, NotesWhatIsAcceptedWithoutEffect) {
  const NodeConfig config = load(named(R"([publish]
batch_size = 100
[spool]
retention_force = true
[[topic]]
prefix = "market."
deliver = "after_confirm"
spools = 2
[[topic]]
prefix = "trade."
deliver = "after_confirm"
spools = 2
schema = "strict"
[[topic]]
prefix = "demo."
schema = "warn"
unknown_version = "dead_letter"
)"));

  EXPECT_THAT(
      config.notes,
      ElementsAre("/etc/node.toml:4: [publish] batch_size has no effect: batches form by themselves from what is "
                  "waiting to be sent",
                  "/etc/node.toml:6: [spool] retention_force has no effect: without retain_for or retain_bytes nothing "
                  "is given up",
                  "/etc/node.toml:9: [[topic]] \"market.\" deliver = \"after_confirm\" has no effect: none of these "
                  "types is confirmed by a spool",
                  "/etc/node.toml:10: [[topic]] \"market.\" spools = 2 has no effect: none of these types is confirmed "
                  "by a spool",
                  "/etc/node.toml:18: [[topic]] \"demo.\" schema = \"warn\" has no effect: nothing is declared of the data "
                  "of these types",
                  "/etc/node.toml:19: [[topic]] \"demo.\" unknown_version = \"dead_letter\" has no effect: nothing is "
                  "declared of the data of these types"));
}

TEST(Config, AnEmptySpoolTableMakesTheNodeASpool) {
  EXPECT_FALSE(load(named("")).spool.has_value());
  const NodeConfig config = load(named("[spool]\n"));
  ASSERT_TRUE(config.spool.has_value());
  EXPECT_EQ(*config.spool, (SpoolConfig{"/home/legion/.local/state/legion/n1/spool.db", {}, {}, false}));
}

TEST(Config, ReadsTheSpool) {
  const NodeConfig config = load(R"([node]
name = "n1"
state_dir = "state"
[spool]
path = "deep/../orders.db"
retain_for = "30d"
retain_bytes = "100GiB"
retention_force = true
)");
  ASSERT_TRUE(config.spool.has_value());
  EXPECT_EQ(*config.spool, (SpoolConfig{"/etc/state/orders.db", 24h * 30, 100ull << 30, true}));
  EXPECT_EQ(load(named("[spool]\npath = \"/data/spool.db\"")).spool->path, "/data/spool.db");
}

TEST(Config, AnOverrideMakesASpoolToo) {
  const NodeConfig config = load(named(""), inputs({{"LEGION_SPOOL_RETAIN_FOR", "2h"}}, {"spool.path=a.db"}));
  ASSERT_TRUE(config.spool.has_value());
  EXPECT_EQ(config.spool->path, "/home/legion/.local/state/legion/n1/a.db");
  EXPECT_EQ(config.spool->retain_for, Duration(2h));
}

TEST(Config, ReadsDurableSubscriptions) {
  const NodeConfig config = load(named(R"([[agent]]
name = "a"
exec = ["prog"]
[[agent.subscribe]]
type = "trade."
durable = "trades"
replay = true
[[agent.subscribe]]
type = "order."
durable = "orders"
start = "beginning"
[[agent.subscribe]]
type = "risk."
durable = "risks"
start = "2026-11-21T12:00:00+02:00"
[[agent.subscribe]]
type = "signal."
durable = "signals"
start = "feed:42:1:signal.generated:0:17"
[[agent.subscribe]]
type = "market."
)"));

  const auto& subscribe = config.agents.at(0).subscribe;
  ASSERT_EQ(subscribe.size(), 5u);
  EXPECT_EQ(subscribe[0].durable, "trades");
  EXPECT_EQ(subscribe[0].start.kind, StartConfig::Kind::Now);
  EXPECT_TRUE(subscribe[0].replay);
  EXPECT_EQ(subscribe[1].start.kind, StartConfig::Kind::Beginning);
  EXPECT_FALSE(subscribe[1].replay);
  EXPECT_EQ(subscribe[2].start.kind, StartConfig::Kind::Time);
  EXPECT_EQ(subscribe[2].start.time.ns, 1'795'255'200'000'000'000);
  EXPECT_EQ(subscribe[3].start.kind, StartConfig::Kind::Event);
  EXPECT_EQ(subscribe[3].start.event, (EventId{"feed", 42, Priority::High, "signal.generated", 0, 17}));
  EXPECT_FALSE(subscribe[4].durable.has_value());
}

}  // namespace
}  // namespace legion
