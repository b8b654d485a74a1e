#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <legion/agents/csv_source.hpp>
#include <legion/agents/feed_agent.hpp>
#include <legion/agents/feed_pacer.hpp>
#include <legion/agents/synthetic_source.hpp>

#include "fake_services.hpp"
#include "support/poll.hpp"

namespace legion {
namespace {

using test::eventually;
using test::FakeServices;

class CsvFile {
 public:
  explicit CsvFile(std::string_view text)
      : path_(std::filesystem::temp_directory_path() / ("legion-feed-" + std::to_string(::getpid()) + ".csv")) {
    std::ofstream(path_) << text;
  }
  ~CsvFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(SplitCsv, FollowsTheQuotingRules) {
  EXPECT_EQ(split_csv("a,,\"b,\"\"c\"\"\",").value(), (std::vector<std::string>{"a", "", "b,\"c\"", ""}));
  EXPECT_EQ(split_csv("").value(), std::vector<std::string>{""});
  EXPECT_NE(split_csv("a,\"b").error().message.find("column 2"), std::string::npos);
  EXPECT_FALSE(split_csv("\"a\"b"));
}

TEST(CsvSource, NumbersBecomeNumbersAndTextStaysText) {
  const CsvFile file("\xEF\xBB\xBFtime,price,size,side\r\n1762795433,105.5,3,buy\r\n1762795434.5,106,,\"7\"\r\n");
  CsvSource source(file.path());
  ASSERT_TRUE(source.rewind());
  auto first = std::get<FeedRow>(source.next());
  EXPECT_EQ(first.seconds, 1762795433.0);
  EXPECT_EQ(first.fields[0].second, FieldValue(1762795433.0));
  EXPECT_EQ(first.fields[1].second, FieldValue(105.5));
  EXPECT_EQ(first.fields[2].second, FieldValue(std::int64_t{3}));
  EXPECT_EQ(first.fields[3].second, FieldValue(std::string("buy")));
  auto second = std::get<FeedRow>(source.next());
  ASSERT_EQ(second.fields.size(), 3u);
  EXPECT_EQ(second.fields[1].second, FieldValue(std::int64_t{106}));
  EXPECT_EQ(second.fields[2].second, FieldValue(std::string("7")));
  EXPECT_TRUE(std::holds_alternative<FeedEnd>(source.next()));
}

TEST(CsvSource, ABadRowNamesFileLineAndColumnAndCostsOnlyItself) {
  const CsvFile file("time,price\n1,2\n2,cheap\n3\n4,\"5\n5,6\n");
  CsvSource source(file.path());
  ASSERT_TRUE(source.rewind());
  EXPECT_TRUE(std::holds_alternative<FeedRow>(source.next()));
  EXPECT_EQ(std::get<RowDefect>(source.next()).message, file.path() + ":3: column 2 \"price\": not a number: cheap");
  EXPECT_EQ(std::get<RowDefect>(source.next()).message, file.path() + ":4: 1 columns, the header has 2");
  EXPECT_EQ(std::get<RowDefect>(source.next()).message, file.path() + ":5: column 2: the quote does not end");
  EXPECT_TRUE(std::holds_alternative<FeedRow>(source.next()));
  EXPECT_TRUE(std::holds_alternative<FeedEnd>(source.next()));
}

TEST(CsvSource, RefusesAFileWithoutAUsableHeader) {
  EXPECT_FALSE(CsvSource("/nowhere/x.csv").rewind());
  EXPECT_FALSE(CsvSource(CsvFile("").path()).rewind());
  const CsvFile twice("a,a\n1,2\n");
  EXPECT_NE(CsvSource(twice.path()).rewind().error().message.find(":1: two columns"), std::string::npos);
  const CsvFile unnamed("a,\n1,2\n");
  EXPECT_FALSE(CsvSource(unnamed.path()).rewind());
}

TEST(SyntheticSource, IsTheSameForTheSameSeed) {
  SyntheticSource a({.seed = 7});
  SyntheticSource b({.seed = 7});
  SyntheticSource c({.seed = 8});
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto row = std::get<FeedRow>(a.next());
    EXPECT_EQ(row.fields, std::get<FeedRow>(b.next()).fields);
    differs = differs || row.fields != std::get<FeedRow>(c.next()).fields;
    EXPECT_GT(std::get<double>(row.fields[1].second), 0.0);
  }
  EXPECT_TRUE(differs);
}

TEST(FeedPacer, KeepsARateWithoutDrift) {
  FeedPacer pacer({.kind = FeedPacing::Kind::Rate, .rate = 1000.0});
  const SteadyTime start{0};
  SteadyTime now = start;
  for (int row = 0; row < 5000; ++row) {
    const SteadyTime due = pacer.due(now, std::nullopt);
    EXPECT_EQ(due, start + row * 1ms);
    now = std::max(now, due) + 300us;
  }
}

TEST(FeedPacer, FollowsTheRecordedGapsDividedByTheFactor) {
  FeedPacer pacer({.kind = FeedPacing::Kind::Recorded, .factor = 2.0});
  const SteadyTime start{5'000};
  EXPECT_EQ(pacer.due(start, 100.0), start);
  EXPECT_EQ(pacer.due(start, 101.0), start + 500ms);
  EXPECT_EQ(pacer.due(start, std::nullopt), start + 500ms);
  EXPECT_EQ(pacer.due(start, 100.5), start + 500ms);
  EXPECT_EQ(pacer.due(start, 101.5), start + 1s);
}

TEST(FeedPacer, DoesNotMakeUpForALongHoldUp) {
  FeedPacer pacer({.kind = FeedPacing::Kind::Rate, .rate = 10.0});
  pacer.due({0}, std::nullopt);
  const SteadyTime late = SteadyTime{0} + 1min;
  EXPECT_EQ(pacer.due(late, std::nullopt), late);
  EXPECT_EQ(pacer.due(late, std::nullopt), late + 100ms);
}

FeedOptions at_once() { return {.pacing = {.kind = FeedPacing::Kind::Max}}; }

bool ended(const FakeServices& services) {
  const std::string state = services.state();
  return state == "finished" || state.starts_with("failed");
}

TEST(FeedAgent, PublishesEachRowInOrderAndSaysWhenItIsThrough) {
  const CsvFile file("time,symbol,n\n1,A,1\n2,B,x\n3,C,3\n");
  FeedOptions options = at_once();
  options.type = "t.x";
  options.key = "symbol";
  options.constants = {{"venue", std::string("here")}, {"time", std::int64_t{5}}};
  options.priority = Priority::High;
  FakeServices services;
  FeedAgent feed(options, std::make_unique<CsvSource>(file.path()));
  feed.start(services);
  ASSERT_TRUE(eventually([&] { return ended(services); }));
  const auto published = services.published();
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].event.key, "A");
  EXPECT_EQ(published[1].event.key, "C");
  EXPECT_EQ(published[0].event.priority, Priority::High);
  EXPECT_EQ(published[0].priority_from, PublishOptions::PriorityFrom::Event);
  EXPECT_EQ(data_to_json(published[1].event.data).value(), R"({"symbol":"C","n":3,"venue":"here","time":5})");
  EXPECT_EQ(services.counter("bad_rows"), 1u);
  EXPECT_EQ(services.logged(":3: column 3 \"n\": not a number: x"), 1u);
  EXPECT_EQ(services.logged("finished: 2 events"), 1u);
}

TEST(FeedAgent, WaitsForTheMesh) {
  FakeServices services;
  services.mesh(1, false);
  FeedOptions options = at_once();
  options.count = 3;
  options.wait_for_nodes = 2;
  FeedAgent feed(options, std::make_unique<SyntheticSource>(SyntheticOptions{}));
  feed.start(services);
  ASSERT_TRUE(eventually([&] { return services.state() == "waiting for 2 nodes"; }));
  services.mesh(1, true);
  services.mesh(2, false);
  EXPECT_TRUE(services.published().empty());
  services.mesh(2, true);
  EXPECT_TRUE(eventually([&] { return services.state() == "finished"; }));
  EXPECT_EQ(services.published().size(), 3u);
}

TEST(FeedAgent, LosesNoRowToWouldBlock) {
  const CsvFile file("n\n1\n2\n3\n");
  FakeServices services;
  services.answer({{PublishStatus::WouldBlock, {}},
                   {PublishStatus::Queued, {}},
                   {PublishStatus::WouldBlock, {}},
                   {PublishStatus::WouldBlock, {}}});
  FeedAgent feed(at_once(), std::make_unique<CsvSource>(file.path()));
  feed.start(services);
  ASSERT_TRUE(eventually([&] { return ended(services); }));
  const auto published = services.published();
  ASSERT_EQ(published.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(data_to_json(published[i].event.data).value(), "{\"n\":" + std::to_string(i + 1) + "}");
  }
  EXPECT_EQ(services.counter("would_block"), 3u);
}

TEST(FeedAgent, RepeatsUntilItsCount) {
  const CsvFile file("n\n1\n2\n");
  FakeServices services;
  FeedOptions options = at_once();
  options.repeat = FeedOptions::Repeat::Yes;
  options.count = 5;
  FeedAgent feed(options, std::make_unique<CsvSource>(file.path()));
  feed.start(services);
  ASSERT_TRUE(eventually([&] { return ended(services); }));
  EXPECT_EQ(services.published().size(), 5u);
}

TEST(FeedAgent, ARefusedRowIsCountedAndTheNextIsTried) {
  FakeServices services;
  services.answer({{PublishStatus::Refused, "nodes only"}});
  const CsvFile file("n\n1\n2\n");
  FeedAgent feed(at_once(), std::make_unique<CsvSource>(file.path()));
  feed.start(services);
  ASSERT_TRUE(eventually([&] { return ended(services); }));
  EXPECT_EQ(services.published().size(), 1u);
  EXPECT_EQ(services.counter("refused"), 1u);
  EXPECT_EQ(services.logged("nodes only"), 1u);
}

TEST(FeedAgent, SaysWhyItCannotBegin) {
  FakeServices services;
  FeedAgent missing(at_once(), std::make_unique<CsvSource>("/nowhere/x.csv"));
  missing.start(services);
  ASSERT_TRUE(eventually([&] { return ended(services); }));
  EXPECT_EQ(services.state(), "failed: /nowhere/x.csv: No such file or directory");
}

TEST(FeedAgent, AFileWithoutAUsableRowIsNotRepeatedForEver) {
  const CsvFile file("time\nx\n");
  FakeServices services;
  FeedOptions options = at_once();
  options.repeat = FeedOptions::Repeat::Yes;
  FeedAgent feed(options, std::make_unique<CsvSource>(file.path()));
  feed.start(services);
  ASSERT_TRUE(eventually([&] { return ended(services); }));
  EXPECT_EQ(services.state(), "failed: the source has no usable row");
}

TEST(FeedAgent, StopsWhileItWaits) {
  FakeServices services;
  FeedOptions options{.pacing = {.kind = FeedPacing::Kind::Rate, .rate = 0.001}};
  FeedAgent feed(options, std::make_unique<SyntheticSource>(SyntheticOptions{}));
  feed.start(services);
  ASSERT_TRUE(eventually([&] { return services.published().size() == 1; }));
  feed.stop(1s);
  EXPECT_EQ(services.state(), "stopped");
}

}  // namespace
}  // namespace legion
