#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include <legion/runtime/spool_store_thread.hpp>

#include "spool_fake_store.hpp"
#include "support/poll.hpp"

namespace legion::test {
namespace {

const Origin origin_a{"a", 7};
const Origin origin_b{"b", 9};

class SpoolStoreThreadTest : public ::testing::Test {
 protected:
  void SetUp() override { start({}); }
  void start(SpoolStoreThread::Options options) {
    writer.reset();
    writer = std::make_unique<SpoolStoreThread>(
        store, options, [this] { ++wakes; }, [this](LogLevel, std::string_view text) { log.emplace_back(text); });
  }

  static StoreCommand append(const Origin& origin, Position at, std::size_t bytes = 10) {
    JournalRecord record;
    record.origin = origin;
    record.journal = JournalKind::Confirmed;
    record.first = record.last = at;
    record.frame = std::make_shared<const Bytes>(bytes);
    return store_command::Append{std::move(record)};
  }
  void submit(StoreCommand command) {
    std::vector<StoreCommand> commands;
    commands.push_back(std::move(command));
    writer->submit(std::move(commands));
  }
  /// Takes news until this holds.
  template <class Condition>
  bool until(const Condition& condition) {
    return eventually([&] {
      for (StoreNews& one : writer->take_news()) {
        if (auto* committed = std::get_if<store_news::Committed>(&one)) {
          told.push_back(committed->origin.node + std::to_string(committed->through));
        } else if (auto* frozen = std::get_if<store_news::Frozen>(&one)) {
          told.push_back("frozen " + frozen->reason);
        } else if (auto* stored = std::get_if<store_news::Stored>(&one)) {
          told.push_back("stored " + std::to_string(stored->state.ranges.back().last));
        } else if (std::holds_alternative<store_news::Lost>(one)) {
          told.push_back("lost");
        } else {
          std::get<store_news::Call>(one).run();
        }
      }
      return condition();
    });
  }
  void bind(const Origin& origin, std::uint8_t boot) {
    submit(store_command::Bind{origin, BootId{{boot}}, [this, origin](const Result<std::vector<JournalState>>& states) {
                                 told.push_back(states ? "bound " + origin.node : "refused " + origin.node);
                               }});
  }

  std::shared_ptr<FakeDisk> disk = std::make_shared<FakeDisk>();
  FakeStore store{disk};
  std::atomic<int> wakes = 0;
  std::vector<std::string> log;
  std::unique_ptr<SpoolStoreThread> writer;
  std::vector<std::string> told;
};

using Told = std::vector<std::string>;

TEST_F(SpoolStoreThreadTest, MakesOneTransactionOfWhatArrivesWhileAnotherRuns) {
  disk->hold();
  submit(append(origin_a, 1));
  ASSERT_TRUE(eventually([&] { return disk->is_held(); }));
  for (Position at = 2; at <= 100; ++at) submit(append(origin_a, at));
  for (Position at = 1; at <= 50; ++at) submit(append(origin_b, at));
  EXPECT_TRUE(writer->take_news().empty());
  disk->let_go();

  EXPECT_TRUE(until([&] { return told.size() == 3; }));
  EXPECT_EQ(told, (Told{"a1", "a100", "b50"}));
  EXPECT_EQ(disk->batches(), (std::vector<std::size_t>{1, 149}));
  EXPECT_EQ(writer->figures().batches, 2u);
  EXPECT_EQ(writer->figures().batch_records_max, 149u);
  EXPECT_GE(wakes, 2);
}

TEST_F(SpoolStoreThreadTest, EndsATransactionWhenItIsLargeEnough) {
  start({.batch_bytes_max = 1000});
  std::vector<StoreCommand> commands;
  for (Position at = 1; at <= 25; ++at) commands.push_back(append(origin_a, at, 100));
  writer->submit(std::move(commands));
  EXPECT_TRUE(until([&] { return !told.empty() && told.back() == "a25"; }));
  EXPECT_EQ(disk->batches(), (std::vector<std::size_t>{10, 10, 5}));
}

TEST_F(SpoolStoreThreadTest, KeepsTheOrderOfBindingsAndRecords) {
  disk->hold();
  submit(append(origin_a, 1));
  ASSERT_TRUE(eventually([&] { return disk->is_held(); }));
  submit(append(origin_a, 2));
  bind(origin_b, 1);
  submit(append(origin_b, 1));
  bind(origin_b, 2);
  submit(store_command::SetFinal{origin_a, 2, 0});
  submit(append(origin_b, 2));
  disk->let_go();
  EXPECT_TRUE(until([&] { return !told.empty() && told.back() == "b2"; }));
  EXPECT_EQ(told, (Told{"a1", "a2", "bound b", "b1", "refused b", "b2"}));
  EXPECT_EQ(disk->calls(),
            (Told{"append 1", "append 1", "bind b:9", "append 1", "bind b:9", "final a:7 2 0", "append 1"}));
}

TEST_F(SpoolStoreThreadTest, WritesOnlyTheLastOfWhatWasReleasedMeanwhile) {
  disk->hold();
  submit(append(origin_a, 1));
  ASSERT_TRUE(eventually([&] { return disk->is_held(); }));
  for (Position at = 2; at <= 40; ++at) {
    submit(append(origin_a, at));
    submit(store_command::SetReleased{origin_a, JournalKind::Confirmed, 1, at - 1});
    submit(store_command::SetReleased{origin_a, JournalKind::Confirmed, 2, at / 2});
  }
  disk->let_go();
  EXPECT_TRUE(until([&] { return told == Told{"a1", "a40"}; }));
  writer->finish();
  EXPECT_EQ(disk->calls(),
            (Told{"append 1", "append 39", "released a:7 1 confirmed 39", "released a:7 2 confirmed 20"}));
}

TEST_F(SpoolStoreThreadTest, ConfirmsNothingAfterAnError) {
  submit(append(origin_a, 1));
  EXPECT_TRUE(until([&] { return told == Told{"a1"}; }));
  disk->fail_next("disk full");
  submit(append(origin_a, 2));
  submit(append(origin_a, 3));
  EXPECT_TRUE(until([&] { return told.back() == "frozen disk full"; }));
  submit(append(origin_a, 4));
  Result<void> marked;
  submit(store_command::Mark{"m", [&](Result<void> result) {
                               marked = std::move(result);
                               told.push_back("marked");
                             }});
  EXPECT_TRUE(until([&] { return told.back() == "marked"; }));
  EXPECT_EQ(told, (Told{"a1", "frozen disk full", "marked"}));
  EXPECT_EQ(disk->positions(origin_a, JournalKind::Confirmed), (std::vector<Position>{1}));
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log.front().find("disk full"), std::string::npos);
}

TEST_F(SpoolStoreThreadTest, FinishesWhatItWasGiven) {
  disk->hold();
  for (Position at = 1; at <= 10; ++at) submit(append(origin_a, at));
  ASSERT_TRUE(eventually([&] { return disk->is_held(); }));
  disk->let_go();
  writer->finish();
  EXPECT_TRUE(until([&] { return !told.empty() && told.back() == "a10"; }));
  EXPECT_EQ(writer->figures().store.next_commit, 11u);
}

TEST_F(SpoolStoreThreadTest, KeepsHouseWhileNothingWaits) {
  start({.maintain_every = 1ms});
  EXPECT_TRUE(eventually([&] { return disk->maintained() >= 8; }));
}

TEST_F(SpoolStoreThreadTest, TellsOnceThatABlockWasSetAside) {
  start({.maintain_every = 1ms});
  submit(append(origin_a, 1));
  submit(append(origin_a, 2));
  EXPECT_TRUE(until([&] { return !told.empty() && told.back() == "a2"; }));
  disk->lose(1);
  EXPECT_TRUE(until([&] { return told.back() == "lost"; }));
  const auto maintained = disk->maintained();
  EXPECT_TRUE(until([&] { return disk->maintained() > maintained + 4; }));
  EXPECT_EQ(std::ranges::count(told, "lost"), 1);
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log.front().find("set aside"), std::string::npos);
}

TEST_F(SpoolStoreThreadTest, KeepsHouseUnderALoadThatNeverEnds) {
  start({.commits_between_pieces = 4, .maintain_every = 1h});
  for (Position at = 1; at <= 40; ++at) {
    submit(append(origin_a, at));
    ASSERT_TRUE(until([&] { return told.size() == at; }));
  }
  EXPECT_GE(disk->maintained(), 9u);
}

TEST_F(SpoolStoreThreadTest, AdoptsRecordsOfAnotherSpoolAndTellsWhatIsThereThen) {
  bind(origin_a, 1);
  submit(append(origin_a, 4));
  EXPECT_TRUE(until([&] { return !told.empty() && told.back() == "a4"; }));
  std::vector<JournalRecord> fetched;
  for (Position at = 1; at <= 3; ++at) {
    fetched.push_back(std::get<store_command::Append>(append(origin_a, at)).record);
  }
  submit(store_command::Adopt{std::move(fetched),
                              [&](const Result<void>& done) { told.push_back(done ? "adopted" : "failed"); }});
  EXPECT_TRUE(until([&] { return told.back() == "adopted"; }));
  EXPECT_NE(std::ranges::find(told, "stored 4"), told.end());
}

TEST_F(SpoolStoreThreadTest, AnswersALookWithWhatIsThereByThen) {
  bind(origin_a, 1);
  submit(append(origin_a, 1));
  submit(store_command::Look{[this](const Store& at) -> std::function<void()> {
    return [this, count = at.journals().size()] { told.push_back("looked " + std::to_string(count)); };
  }});
  EXPECT_TRUE(until([&] { return !told.empty() && told.back() == "looked 2"; }));
  EXPECT_EQ(told, (Told{"bound a", "a1", "looked 2"}));
}

}  // namespace
}  // namespace legion::test
