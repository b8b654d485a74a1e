// Two spools with stores on disk, over real sockets: what one lacks it gets from the other.
#include <algorithm>
#include <filesystem>
#include <random>

#include <legion/runtime/spool_catchup.hpp>
#include <legion/spool/sqlite_store.hpp>

#include "spool_kit.hpp"

namespace legion::test {
namespace {

const Origin origin_a{"a", 7};
constexpr BootId boot_a{{1}};

JournalRecord record_of(const Origin& origin, Position at, std::size_t bytes = 100) {
  JournalRecord record;
  record.origin = origin;
  record.journal = JournalKind::Captured;
  record.first = record.last = at;
  record.frame = make_frame(origin, "trade.approved", at, 1, bytes);
  return record;
}

JournalRecord void_of(const Origin& origin, Position first, Position last) {
  JournalRecord record;
  record.origin = origin;
  record.journal = JournalKind::Captured;
  record.first = first;
  record.last = last;
  record.spans = {{Priority::Normal, "trade.approved", 0, first, last}};
  return record;
}

/// A spool of its own machine. What is in the store before it starts is the test's.
class Spool {
 public:
  Spool(std::string name, const std::filesystem::path& folder)
      : name_(std::move(name)), path_(folder / (name_ + ".db")) {}
  ~Spool() { stop(); }

  /// What it has before it starts.
  void fill(const std::function<void(Store&)>& fill) {
    const auto store = SqliteStore::open(path_.string(), {}).value();
    fill(*store);
  }
  void fill(const Origin& origin, PositionRange range, BootId boot = boot_a, std::size_t bytes = 100) {
    fill([&](Store& store) {
      ASSERT_TRUE(store.bind(origin, boot));
      std::vector<JournalRecord> records;
      for (Position at = range.first; at <= range.last; ++at) records.push_back(record_of(origin, at, bytes));
      ASSERT_TRUE(store.append(records, WallTime{1}));
    });
  }

  void start(SpoolCatchup::Pace pace) {
    looking_ = false;
    poller_ = transport::Poller::create().value();
    server_ = transport::SpoolServer::create(*sockets_.context).value();
    ASSERT_TRUE(eventually([&] {
      const auto port = transport::find_free_ports("127.0.0.1", 1);
      const auto bound = server_->bind(uri_.empty() ? "tcp://127.0.0.1:" + std::to_string(*port) : uri_);
      if (bound) uri_ = *bound;
      return bound.has_value();
    }));
    SpoolService::Backend backend;
    backend.is_gone = [](const Origin&) { return false; };
    service_ = SpoolService::start(SqliteStore::open(path_.string(), {}).value(), *server_, {}, backend,
                                   [](LogLevel, std::string_view) {})
                   .value();
    poller_->add(service_->pollables());
    const LogSink log = [this](LogLevel level, std::string_view text) {
      if (level != LogLevel::Info) log_.emplace_back(text);
    };
    catchup_ = std::make_unique<SpoolCatchup>(
        SpoolCatchup::Setup{.context = *sockets_.context,
                            .poller = *poller_,
                            .service = *service_,
                            .self = name_,
                            .is_gone = [this](const Origin& origin) { return gone_ == origin.node; },
                            .client = {.redial_max = 100ms},
                            .log = log},
        pace);
  }
  void connect(const Spool& other) { catchup_->connect(other.name_, other.uri_); }
  void stop() {
    if (service_) service_->shutdown(read_clocks());
    catchup_.reset();
    service_.reset();
    server_.reset();
    poller_.reset();
  }
  void turn() {
    if (!service_) return;
    poller_->wait(Duration::zero());
    service_->on_turn(read_clocks());
    catchup_->on_turn(read_clocks());
    if (std::exchange(looking_, true)) return;
    service_->journals([this](std::vector<JournalState> states) {
      journals_ = std::move(states);
      looking_ = false;
    });
  }

  void has_gone(std::string node) { gone_ = std::move(node); }
  const std::string& name() const { return name_; }
  SpoolCatchupFigures figures() const { return catchup_->figures(); }
  const std::vector<std::string>& log() const { return log_; }
  /// As of some turn ago.
  JournalState journal(const Origin& origin, JournalKind kind = JournalKind::Captured) const {
    for (const JournalState& state : journals_) {
      if (state.origin == origin && state.journal == kind) return state;
    }
    return {};
  }
  /// Of a spool that was stopped: the positions of its frames.
  std::vector<Position> frames(const Origin& origin) {
    const auto store = SqliteStore::open(path_.string(), {}).value();
    const auto reader = store->open_reader().value();
    std::vector<Position> positions;
    const auto records = reader->read_journal(origin, JournalKind::Captured, {1, 1000}, SIZE_MAX).value();
    for (const JournalRecord& record : records) {
      if (!record.is_void()) positions.push_back(record.first);
    }
    return positions;
  }

 private:
  const std::string name_;
  const std::filesystem::path path_;
  Sockets sockets_;
  std::string uri_;
  std::string gone_;
  std::vector<std::string> log_;
  std::vector<JournalState> journals_;
  bool looking_ = false;
  std::unique_ptr<transport::Poller> poller_;
  std::unique_ptr<transport::SpoolServer> server_;
  std::unique_ptr<SpoolService> service_;
  std::unique_ptr<SpoolCatchup> catchup_;
};

class SpoolCatchupTest : public ::testing::Test {
 protected:
  SpoolCatchupTest() {
    folder_ = std::filesystem::temp_directory_path() / ("legion-catchup-" + std::to_string(std::random_device{}()));
    std::filesystem::create_directory(folder_);
    one.emplace("one", folder_);
    two.emplace("two", folder_);
  }
  ~SpoolCatchupTest() override {
    one.reset();
    two.reset();
    std::filesystem::remove_all(folder_);
  }
  void start(Duration patience = 0ms) {
    SpoolCatchup::Pace pace;
    pace.round_min = 10ms;
    pace.round_max = 20ms;
    pace.round_idle = 0ms;
    pace.patience = patience;
    one->start(pace);
    two->start(pace);
    one->connect(*two);
    two->connect(*one);
  }
  template <class Condition>
  bool until(const Condition& condition) {
    return eventually([&] {
      one->turn();
      two->turn();
      return condition();
    });
  }
  /// Everything that was there at the beginning has been compared, and what that brought has come.
  bool compared(Spool& spool) {
    const std::uint64_t rounds = spool.figures().rounds;
    return until([&] { return spool.figures().rounds >= rounds + 3; });
  }
  bool have_the_same(const Origin& origin) {
    return until([&] {
      const JournalState a = one->journal(origin), b = two->journal(origin);
      return !a.ranges.empty() && a.ranges == b.ranges && a.voids == b.voids;
    });
  }

  std::filesystem::path folder_;
  std::optional<Spool> one, two;
};

using Ranges = std::vector<PositionRange>;

TEST_F(SpoolCatchupTest, EachGetsWhatOnlyTheOtherHas) {
  one->fill(origin_a, {1, 40});
  one->fill(origin_a, {61, 80});
  two->fill(origin_a, {31, 70});
  two->fill(origin_a, {91, 95});
  start();
  EXPECT_TRUE(until([&] {
    const Ranges all{{1, 80}, {91, 95}};
    return one->journal(origin_a).ranges == all && two->journal(origin_a).ranges == all;
  }));
  EXPECT_EQ(one->figures().adopted, 25u);
  EXPECT_EQ(two->figures().adopted, 40u);
  EXPECT_TRUE(compared(*one));
  EXPECT_EQ(one->figures().missing, 0u);
  one->stop();
  two->stop();
  EXPECT_EQ(one->frames(origin_a), two->frames(origin_a));
  EXPECT_EQ(one->frames(origin_a).size(), 85u);
}

TEST_F(SpoolCatchupTest, AFrameTakesThePlaceOfAVoid) {
  one->fill(origin_a, {1, 3});
  one->fill([](Store& store) { ASSERT_TRUE(store.append(std::vector{void_of(origin_a, 4, 9)}, WallTime{1})); });
  two->fill(origin_a, {1, 6});
  two->fill([](Store& store) { ASSERT_TRUE(store.append(std::vector{void_of(origin_a, 7, 12)}, WallTime{1})); });
  start();
  EXPECT_TRUE(until([&] {
    return one->journal(origin_a).voids == Ranges{{7, 12}} && one->journal(origin_a).ranges == Ranges{{1, 12}};
  }));
  EXPECT_TRUE(compared(*two));
  EXPECT_EQ(two->journal(origin_a).voids, (Ranges{{7, 12}}));
  EXPECT_EQ(two->figures().adopted, 0u);
  one->stop();
  EXPECT_EQ(one->frames(origin_a), up_to(6));
}

TEST_F(SpoolCatchupTest, AnEmptyStoreGetsEverythingWithItsMarks) {
  one->fill(origin_a, {1, 300}, boot_a, 30'000);  // several pages
  one->fill([](Store& store) {
    ASSERT_TRUE(store.set_released(origin_a, JournalKind::Captured, 2, 120));
    ASSERT_TRUE(store.set_final(origin_a, 0, 300));
  });
  start();
  EXPECT_TRUE(have_the_same(origin_a));
  EXPECT_TRUE(until([&] { return two->journal(origin_a).final.has_value(); }));
  const JournalState state = two->journal(origin_a);
  EXPECT_EQ(state.boot, boot_a);
  EXPECT_EQ(state.final, 300u);
  EXPECT_EQ(two->journal(origin_a, JournalKind::Confirmed).final, 0u);
  EXPECT_EQ(state.released, (std::array<Position, 4>{120, 120, 0, 0}));
  EXPECT_EQ(two->figures().adopted, 300u);
  two->stop();
  EXPECT_EQ(two->frames(origin_a), up_to(300));
}

TEST_F(SpoolCatchupTest, TheEndOfALivingJournalIsLeftToItsOrigin) {
  one->fill(origin_a, {1, 10});
  one->fill(origin_a, {13, 40});
  two->fill(origin_a, {1, 5});
  two->fill(origin_a, {9, 20});
  start(1h);
  EXPECT_TRUE(until([&] { return two->journal(origin_a).ranges == Ranges{{1, 20}}; }));
  EXPECT_TRUE(compared(*two));
  EXPECT_EQ(two->journal(origin_a).ranges, (Ranges{{1, 20}}));
  two->has_gone("a");
  EXPECT_TRUE(until([&] { return two->journal(origin_a).ranges == Ranges{{1, 40}}; }));
}

TEST_F(SpoolCatchupTest, JournalsOfAnotherBootAreNotMixed) {
  const Origin origin_b{"b", 9};
  one->fill(origin_a, {1, 10}, BootId{{1}});
  two->fill(origin_a, {5, 20}, BootId{{2}});
  one->fill(origin_b, {1, 10});
  start();
  EXPECT_TRUE(have_the_same(origin_b));
  EXPECT_TRUE(compared(*one));
  EXPECT_TRUE(compared(*two));
  EXPECT_EQ(one->journal(origin_a).ranges, (Ranges{{1, 10}}));
  EXPECT_EQ(two->journal(origin_a).ranges, (Ranges{{5, 20}}));
  const auto tells = [](const std::string& line) { return line.find("belong to boot") != std::string::npos; };
  EXPECT_EQ(std::ranges::count_if(one->log(), tells), 1);
}

TEST_F(SpoolCatchupTest, WhatTheOtherTrimmedAndNobodyHasIsNotMissing) {
  one->fill(origin_a, {21, 40});
  one->fill([](Store& store) { ASSERT_TRUE(store.set_floor(origin_a, JournalKind::Captured, 25)); });
  two->fill(origin_a, {31, 40});
  start();
  EXPECT_TRUE(compared(*two));
  EXPECT_EQ(two->journal(origin_a).floor, 0u) << "its origin lives, and may be cut off from here alone";
  two->has_gone("a");
  EXPECT_TRUE(until([&] { return two->journal(origin_a).floor == 25; }));
  // What was kept below the floor there is here as well.
  EXPECT_EQ(two->journal(origin_a).ranges, (Ranges{{21, 40}}));
  EXPECT_EQ(one->journal(origin_a).floor, 25u);
}

TEST_F(SpoolCatchupTest, AFloorIsNotTakenWhileItsOriginMaySendWhatIsBelow) {
  one->fill([](Store& store) { ASSERT_TRUE(store.set_floor(origin_a, JournalKind::Captured, 25)); });
  one->fill(origin_a, {31, 40});
  two->fill(origin_a, {31, 40});
  two->has_gone("a");
  start(1h);
  EXPECT_TRUE(compared(*two));
  EXPECT_EQ(two->journal(origin_a).floor, 0u);
}

TEST_F(SpoolCatchupTest, OfAnOriginThatIsOverBothKnowWhatBothHave) {
  one->fill(origin_a, {1, 10});
  two->fill(origin_a, {1, 6});
  start(1h);
  EXPECT_TRUE(compared(*two));
  EXPECT_EQ(two->journal(origin_a).released, (std::array<Position, 4>{}));
  one->has_gone("a");
  two->has_gone("a");
  EXPECT_TRUE(until([&] {
    const std::array<Position, 4> on_two{10, 10, 0, 0};
    return one->journal(origin_a).released == on_two && two->journal(origin_a).released == on_two;
  }));
}

TEST_F(SpoolCatchupTest, GoesOnWhenTheOtherIsBack) {
  one->fill(origin_a, {1, 300}, boot_a, 30'000);
  start();
  EXPECT_TRUE(until([&] { return two->figures().adopted > 0; }));
  one->stop();
  EXPECT_TRUE(until([&] { return two->figures().peers == 0; }));
  SpoolCatchup::Pace pace;
  pace.patience = 0ms;
  one->start(pace);
  EXPECT_TRUE(until([&] { return two->journal(origin_a).ranges == Ranges{{1, 300}}; }));
  two->stop();
  EXPECT_EQ(two->frames(origin_a), up_to(300));
}

}  // namespace
}  // namespace legion::test
