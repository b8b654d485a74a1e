#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <legion/agents/echo_agent.hpp>
#include <legion/agents/factory.hpp>
#include <legion/agents/log_agent.hpp>
#include <legion/agents/sink_agent.hpp>

#include "fake_services.hpp"

namespace legion {
namespace {

using test::FakeServices;
using test::make_delivery;
using test::make_event;

/// What a dispatch worker does with an agent that answers at once.
void hand_over(FakeServices& services, Agent& agent, const Delivery& delivery) {
  EXPECT_EQ(agent.answers(), Agent::Answers::AtOnce);
  auto outcome = agent.deliver(delivery);
  ASSERT_TRUE(outcome.has_value());
  services.complete(delivery.task, std::move(*outcome));
}

TEST(LogAgent, WritesTypePriorityIdSourceAndData) {
  FakeServices services;
  LogAgent agent(LogLevel::Debug);
  agent.start(services);
  hand_over(services, agent, make_delivery(1, make_event("x.y", R"({"a":1})", 5)));
  ASSERT_EQ(services.lines().size(), 1u);
  EXPECT_EQ(services.lines()[0].level, LogLevel::Debug);
  EXPECT_EQ(services.lines()[0].text, "x.y normal " + make_event("x.y", "{}", 5)->id_string() + " n1/a {\"a\":1}");
  EXPECT_EQ(services.outcomes()[0].second.kind, OutcomeKind::Done);
  EXPECT_EQ(services.ups(), 1u);
}

TEST(EchoAgent, AnswersWithTheDataAndTheStoryOfTheEvent) {
  FakeServices services;
  EchoAgent agent({.reply_type = "x.reply"});
  agent.start(services);
  const EventPtr event = make_event("x.y", R"({"a":1})", 5);
  hand_over(services, agent, make_delivery(1, event));
  ASSERT_EQ(services.published().size(), 1u);
  const Event reply = services.published()[0].event;
  EXPECT_EQ(reply.type, "x.reply");
  EXPECT_EQ(reply.causation_id, event->id_string());
  EXPECT_EQ(reply.correlation_id, event->id_string());
  EXPECT_EQ(reply.traceparent, event->traceparent);
  EXPECT_EQ(reply.key, "k");
  EXPECT_EQ(data_to_json(reply.data).value(), R"({"a":1})");
  EXPECT_EQ(services.outcomes()[0].second.kind, OutcomeKind::Done);
}

TEST(EchoAgent, RetriesWhatWouldBlockAndRejectsWhatIsRefused) {
  FakeServices services;
  services.answer({{PublishStatus::WouldBlock, {}}, {PublishStatus::Refused, "no"}});
  EchoAgent agent({});
  agent.start(services);
  hand_over(services, agent, make_delivery(1, make_event("x.y")));
  hand_over(services, agent, make_delivery(2, make_event("x.y")));
  hand_over(services, agent, make_delivery(3, make_event("x.y")));
  EXPECT_EQ(services.outcomes()[0].second.kind, OutcomeKind::Retry);
  EXPECT_EQ(services.outcomes()[1].second.kind, OutcomeKind::Reject);
  EXPECT_EQ(services.outcomes()[1].second.error, "refused: no");
  EXPECT_EQ(services.outcomes()[2].second.kind, OutcomeKind::Done);
  EXPECT_EQ(services.published()[0].event.type, "echo.x.y");
}

TEST(EchoAgent, NeverAnswersAnAnswer) {
  FakeServices services;
  EchoAgent agent({});
  agent.start(services);
  hand_over(services, agent, make_delivery(1, make_event("echo.x.y")));
  EXPECT_TRUE(services.published().empty());
  EXPECT_EQ(services.counter("skipped"), 1u);
  EXPECT_EQ(services.outcomes().size(), 1u);
}

TEST(SinkAgent, CountsAndFailsEveryNth) {
  FakeServices services;
  SinkAgent agent({.work = 1us, .fail_every = 3});
  agent.start(services);
  for (TaskId task = 1; task <= 7; ++task) hand_over(services, agent, make_delivery(task, make_event("x.y")));
  const auto outcomes = services.outcomes();
  ASSERT_EQ(outcomes.size(), 7u);
  for (const auto& [task, outcome] : outcomes) {
    EXPECT_EQ(outcome.kind, task % 3 == 0 ? OutcomeKind::Retry : OutcomeKind::Done) << task;
  }
  EXPECT_EQ(services.counter("events"), 5u);
}

TEST(SinkAgent, AppendsCloudEventsLines) {
  const auto path = std::filesystem::temp_directory_path() / ("legion-sink-" + std::to_string(::getpid()));
  std::filesystem::remove(path);
  FakeServices services;
  SinkAgent agent({.file = path.string()});
  agent.start(services);
  for (std::uint64_t n = 1; n <= 3; ++n) hand_over(services, agent, make_delivery(n, make_event("x.y", "{}", n)));
  std::ifstream file(path);
  std::string line;
  std::size_t lines = 0;
  while (std::getline(file, line)) {
    ++lines;
    EXPECT_EQ(line, to_cloudevent_json(*make_event("x.y", "{}", lines)).value());
  }
  EXPECT_EQ(lines, 3u);
  std::filesystem::remove(path);
}

TEST(SinkAgent, ReportsAFileItCannotWrite) {
  FakeServices services;
  SinkAgent nowhere({.file = "/nowhere/file"});
  nowhere.start(services);
  EXPECT_EQ(services.ups(), 0u);
  EXPECT_EQ(services.state(), "failed: cannot open /nowhere/file: No such file or directory");

  SinkAgent full({.file = "/dev/full"});
  full.start(services);
  hand_over(services, full, make_delivery(1, make_event("x.y")));
  EXPECT_EQ(services.outcomes()[0].second.kind, OutcomeKind::Retry);
  EXPECT_EQ(services.outcomes()[0].second.error, "/dev/full: No space left on device");
  EXPECT_EQ(services.counter("write_errors"), 1u);
}

AgentConfig hosted_by(AgentHost host) {
  AgentConfig config;
  config.name = "a";
  config.host = std::move(host);
  return config;
}

TEST(MakeAgent, MakesEveryHost) {
  ExecConfig exec;
  exec.command = {"true"};
  for (const AgentHost& host : {AgentHost(exec), AgentHost(FeedConfig{}), AgentHost(LogAgentConfig{}),
                                AgentHost(EchoConfig{}), AgentHost(SinkConfig{})}) {
    const auto agent = make_agent(hosted_by(host));
    EXPECT_TRUE(agent && *agent) << host_name(host);
  }
}

TEST(MakeAgent, RefusesWhatCannotRun) {
  EXPECT_EQ(make_agent(hosted_by(ExecConfig{})).error().code, ErrorCode::Configuration);
  FeedConfig feed;
  feed.pace = {.kind = FeedPace::Kind::Rate, .factor = 1.0, .rate = 0.0};
  EXPECT_FALSE(make_agent(hosted_by(feed)));
}

}  // namespace
}  // namespace legion
