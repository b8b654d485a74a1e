#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <legion/agents/exec_agent.hpp>

#include "fake_services.hpp"
#include "support/poll.hpp"

namespace legion {
namespace {

using test::eventually;
using test::FakeServices;
using test::make_delivery;
using test::make_event;

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

bool has_children() { return !(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD); }

ExecOptions python(std::string script) {
  return {.name = "tester",
          .command = {"/usr/bin/python3", "-u", "-E", "-S", "-c", "import sys,json,os,time,signal\n" + script},
          .restart_delay = 1ms,
          .restart_delay_max = 2ms};
}

ExecOptions shell(std::string script) {
  return {.name = "tester",
          .command = {"/bin/sh", "-c", std::move(script)},
          .restart_delay = 1ms,
          .restart_delay_max = 2ms};
}

constexpr const char* acknowledge_all = R"(
for line in sys.stdin:
    print(json.dumps({"ack": json.loads(line)["delivery"]}))
)";

/// Real processes. Afterwards neither a descriptor nor a child may be left.
class ExecAgentTest : public testing::Test {
 protected:
  void TearDown() override {
    agent_.reset();
    EXPECT_EQ(open_descriptors(), descriptors_);
    EXPECT_FALSE(has_children());
  }
  void run(ExecOptions options) {
    agent_ = std::make_unique<ExecAgent>(std::move(options));
    agent_->start(services_);
  }
  void deliver(TaskId task, std::string json = "{}") {
    agent_->deliver(make_delivery(task, make_event("x.y", std::move(json), task)));
  }
  /// Log lines with this text, without those that show the command, which is the whole script here.
  std::size_t said(std::string_view part) {
    const auto lines = services_.lines();
    return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const auto& line) {
      return line.text.find(part) != std::string::npos && line.text.find(" started: ") == std::string::npos;
    }));
  }
  /// Of the last process that was started.
  pid_t pid() {
    pid_t found = -1;
    for (const auto& line : services_.lines()) {
      int number = 0;
      if (std::sscanf(line.text.c_str(), "process %d started", &number) == 1) found = number;
    }
    return found;
  }

  std::size_t descriptors_ = open_descriptors();
  FakeServices services_;
  std::unique_ptr<ExecAgent> agent_;
};

TEST_F(ExecAgentTest, EventsGoInAndOutcomesComeOut) {
  run(python(acknowledge_all));
  ASSERT_TRUE(eventually([&] { return services_.ups() == 1; }));
  for (TaskId task = 1; task <= 100; ++task) deliver(task);
  ASSERT_TRUE(eventually([&] { return services_.outcomes().size() == 100; }));
  for (TaskId task = 1; task <= 100; ++task) EXPECT_EQ(services_.outcomes()[task - 1].first, task);
  agent_->stop(60s);
  EXPECT_EQ(services_.downs().size(), 1u);
  EXPECT_EQ(said("exited with status 0"), 1u);
  EXPECT_EQ(services_.state(), "stopped");
}

TEST_F(ExecAgentTest, TheProcessSeesItsNamesAndNoDescriptorsOfOurs) {
  const auto fd = ::open("/dev/null", O_RDONLY);
  ASSERT_GE(fd, 3);
  ExecOptions options = python(R"(
fds = [int(n) for n in os.listdir("/proc/self/fd")]
open_fds = []
for n in fds:
    try:
        os.fstat(n); open_fds.append(n)
    except OSError: pass
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
print(json.dumps({"log": "%s %s %s fds=%s blocked=%d group=%s" % (os.environ["LEGION_NODE"], os.environ["LEGION_AGENT"],
    os.environ["EXTRA"], sorted(open_fds), len(blocked), os.getpgrp() == os.getpid())}))
sys.stdin.read()
)");
  options.env = {{"EXTRA", "value"}};
  run(std::move(options));
  EXPECT_TRUE(eventually([&] { return said("n1 tester value fds=[0, 1, 2] blocked=0 group=True") == 1; }));
  agent_->stop(60s);
  ::close(fd);
}

TEST_F(ExecAgentTest, KillMidEventMeansDownAndThenUpAgain) {
  run(python("sys.stdin.read()"));
  ASSERT_TRUE(eventually([&] { return pid() > 0 && services_.ups() == 1; }));
  deliver(1);
  ASSERT_EQ(::kill(pid(), SIGKILL), 0);
  ASSERT_TRUE(eventually([&] { return services_.ups() == 2; }));
  ASSERT_EQ(services_.downs().size(), 1u);
  EXPECT_NE(services_.downs()[0].find("killed by signal 9"), std::string::npos) << services_.downs()[0];
}

TEST_F(ExecAgentTest, AProcessThatEndsAtOnceIsStartedAgainAndAgain) {
  run(shell("exit 3"));
  ASSERT_TRUE(eventually([&] { return services_.counter("restarts") >= 5; }));
  agent_->stop(1s);
  EXPECT_EQ(services_.ups(), services_.downs().size());
  EXPECT_EQ(services_.downs()[0], "process exited with status 3");
}

TEST_F(ExecAgentTest, ItsLastWordsCountBeforeItsEnd) {
  run(python(R"(
line = json.loads(sys.stdin.readline())
sys.stdout.write(json.dumps({"ack": line["delivery"]}))
sys.stdout.flush()
os._exit(0)
)"));
  ASSERT_TRUE(eventually([&] { return services_.ups() == 1; }));
  deliver(77);
  ASSERT_TRUE(eventually([&] { return services_.downs().size() == 1; }));
  ASSERT_EQ(services_.outcomes().size(), 1u);
  EXPECT_EQ(services_.outcomes()[0].second.kind, OutcomeKind::Done);
}

TEST_F(ExecAgentTest, AProgramThatIsNotThereIsNamedAndTriedAgain) {
  run({.name = "tester", .command = {"/nowhere/no-such-program"}, .restart_delay = 1ms, .restart_delay_max = 2ms});
  ASSERT_TRUE(eventually([&] { return services_.counter("start_failures") >= 3; }));
  agent_->stop(1s);
  EXPECT_GE(said("cannot start /nowhere/no-such-program: No such file or directory"), 3u);
  EXPECT_TRUE(services_.states()[0].starts_with("failed: cannot start")) << services_.states()[0];
  EXPECT_EQ(services_.ups(), 0u);
}

TEST_F(ExecAgentTest, BadLinesCostOnlyThemselves) {
  run(python(R"(
print("not json")
print(json.dumps({"ack": 99}))
sys.stdout.write("x" * (5 * 1024 * 1024) + "\n")
print(json.dumps({"log": "still here"}))
)" + std::string(acknowledge_all)));
  ASSERT_TRUE(eventually([&] { return services_.ups() == 1; }));
  deliver(1);
  ASSERT_TRUE(eventually([&] { return services_.outcomes().size() == 1; }));
  EXPECT_EQ(services_.counter("invalid_lines"), 3u);
  EXPECT_EQ(said("line 3 ignored: longer than"), 1u);
  EXPECT_EQ(said("still here"), 1u);
  EXPECT_EQ(services_.counter("restarts"), 0u);
}

TEST_F(ExecAgentTest, FloodsOnBothStreamsAreLimitedAndDisturbNothing) {
  run(python(R"(
for i in range(20000):
    print("rubbish")
    print("noise", file=sys.stderr)
)" + std::string(acknowledge_all)));
  ASSERT_TRUE(eventually([&] { return services_.ups() == 1; }));
  deliver(1);
  ASSERT_TRUE(eventually([&] { return services_.outcomes().size() == 1; }));
  ASSERT_TRUE(eventually([&] { return services_.counter("stderr_lines") == 20000; }));
  agent_->stop(60s);
  EXPECT_EQ(services_.counter("invalid_lines"), 20000u);
  EXPECT_LT(said("line"), 20000u);
  EXPECT_GE(said("stderr lines suppressed"), 1u);
}

TEST_F(ExecAgentTest, APublishWithARefIsAnswered) {
  services_.answer({{PublishStatus::Queued, {}}, {PublishStatus::WouldBlock, {}}});
  run(python(R"(
print(json.dumps({"publish": {"type": "a.b", "data": {"n": 1}}, "ref": "first"}))
answer = json.loads(sys.stdin.readline())
print(json.dumps({"log": "got %s %s" % (answer["published"], answer["id"])}))
print(json.dumps({"publish": {"type": "a.b"}, "ref": 2}))
answer = json.loads(sys.stdin.readline())
print(json.dumps({"log": "got %s %s" % (answer["refused"], answer["reason"])}))
sys.stdin.read()
)"));
  ASSERT_TRUE(eventually([&] { return said("got ") == 2; }));
  EXPECT_EQ(said("got first id-1"), 1u);
  EXPECT_EQ(said("got 2 would_block"), 1u);
}

TEST_F(ExecAgentTest, AProcessThatNeverReadsIsNotListenedToUntilItDoes) {
  ExecOptions options = python(R"(
while not os.path.exists(os.environ["GO"]): time.sleep(0.01)
for line in sys.stdin:
    event = json.loads(line)
    print(json.dumps({"ack": event["delivery"]}))
)");
  const auto go = std::filesystem::temp_directory_path() / ("legion-agents-go-" + std::to_string(::getpid()));
  std::filesystem::remove(go);
  options.env = {{"GO", go.string()}};
  options.output_bytes_max = 100'000;
  options.concurrency = 1000;
  run(std::move(options));
  ASSERT_TRUE(eventually([&] { return services_.ups() == 1; }));
  const std::string json = "{\"text\":\"" + std::string(10'000, 'a') + "\"}";
  for (TaskId task = 1; task <= 100; ++task) deliver(task, json);
  ASSERT_TRUE(eventually([&] { return services_.state() == "running, not reading"; }));
  std::ofstream(go) << "go";
  ASSERT_TRUE(eventually([&] { return services_.outcomes().size() == 100; }));
  EXPECT_EQ(services_.outcomes().back().second.kind, OutcomeKind::Done);
  EXPECT_EQ(services_.state(), "running");
  std::filesystem::remove(go);
}

TEST_F(ExecAgentTest, WhoClosesItsInputGetsNoMoreEvents) {
  run(python("os.close(0)\nprint(json.dumps({'log': 'closed'}))\nwhile True: time.sleep(1)"));
  ASSERT_TRUE(eventually([&] { return said("closed") == 1; }));
  deliver(1);
  ASSERT_TRUE(eventually([&] { return services_.outcomes().size() == 1; }));
  EXPECT_EQ(services_.outcomes()[0].second.kind, OutcomeKind::Retry);
  EXPECT_EQ(services_.counter("restarts"), 0u);
}

TEST_F(ExecAgentTest, StopEndsEvenWhoIgnoresTheEndOfInputAndSigterm) {
  run(python(R"(
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"log": "deaf"}))
while True: time.sleep(1)
)"));
  ASSERT_TRUE(eventually([&] { return said("deaf") == 1; }));
  agent_->stop(200ms);
  EXPECT_EQ(said("SIGTERM"), 2u);
  EXPECT_EQ(said("killed by signal 9"), 1u);
  EXPECT_EQ(services_.counter("restarts"), 0u);
}

TEST_F(ExecAgentTest, StopTellsAProcessThatIgnoresTheEndOfInput) {
  run(python("print(json.dumps({'log': 'here'}))\nwhile True: time.sleep(1)"));
  ASSERT_TRUE(eventually([&] { return said("here") == 1; }));
  agent_->stop(2s);
  EXPECT_EQ(said("killed by signal 15"), 1u);
}

TEST_F(ExecAgentTest, WhatAProcessLeavesInItsGroupEndsWithIt) {
  ExecOptions options = shell("sleep 1000 & echo \"{\\\"log\\\":\\\"helper $!.\\\"}\"; read line; exit 0");
  options.restart_delay = 1h;
  options.restart_delay_max = 1h;
  run(std::move(options));
  ASSERT_TRUE(eventually([&] { return said("helper ") == 1; }));
  int helper = 0;
  for (const auto& line : services_.lines()) {
    if (std::sscanf(line.text.c_str(), "helper %d.", &helper) == 1) break;
  }
  ASSERT_GT(helper, 0);
  deliver(1);
  ASSERT_TRUE(eventually([&] { return services_.downs().size() == 1; }));
  const std::string stat = "/proc/" + std::to_string(helper) + "/stat";
  EXPECT_TRUE(eventually([&] {
    std::ifstream file(stat);
    std::string number, name, state;
    return !(file >> number >> name >> state) || state == "Z";
  }));
}

TEST_F(ExecAgentTest, StopDuringTheBackOffDoesNotWaitForIt) {
  ExecOptions options = shell("exit 1");
  options.restart_delay = 1h;
  options.restart_delay_max = 1h;
  run(std::move(options));
  ASSERT_TRUE(eventually([&] { return services_.state() == "restarting"; }));
  deliver(5);
  ASSERT_TRUE(eventually([&] { return services_.outcomes().size() == 1; }));
  agent_->stop(1s);
  EXPECT_EQ(services_.state(), "stopped");
  EXPECT_EQ(services_.ups(), 1u);
}

}  // namespace
}  // namespace legion
