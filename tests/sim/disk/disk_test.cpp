// What a store acknowledged survives whatever ends its process: the simulated store, and the real one on simulated
// files.
#include <gtest/gtest.h>

#include <string>

#include "disk.hpp"
#include "kit.hpp"

namespace legion::sim {
namespace {

using spool_test::captured;
using spool_test::feed;
using spool_test::TempDir;

enum class Kind { Simulated, Sqlite };
enum class Fault { Kill, PowerCut, Full, Broken, SlowSync, ShortWrites };

Result<std::unique_ptr<Store>> open(Kind kind, Disk& disk, const std::filesystem::path& folder) {
  if (kind == Kind::Simulated) return disk.open_store();
  auto opened = SqliteStore::open((folder / "spool.db").string(), {});
  if (!opened) return std::unexpected(opened.error());
  return std::move(*opened);
}

/// Lives of one process that appends and counts what was acknowledged, until it is ended.
class Writer {
 public:
  Writer(Kind kind, std::uint64_t seed) : kind_(kind), disk_(folder_.file("disk"), seed), rng_(seed) {
    Kernel::get().reset(seed);
  }

  void live(Fault fault) {
    disk_.settings.trouble = DiskSettings::Trouble::None;
    disk_.settings.slow_percent = fault == Fault::SlowSync ? 50 : 0;
    disk_.settings.slow_sync = 10ms;
    disk_.settings.short_percent = fault == Fault::ShortWrites ? 30 : 0;
    const auto folder = disk_.begin_life(end_);
    end_ = fault == Fault::PowerCut ? Disk::End::PowerCut : Disk::End::Killed;
    const auto process = Kernel::get().spawn("writer", [this, folder] { write(folder); });
    process->disk = &disk_;
    run(Duration(rng_.below(200'000'000)));
    if (fault == Fault::Full) disk_.settings.trouble = DiskSettings::Trouble::Full;
    if (fault == Fault::Broken) disk_.settings.trouble = DiskSettings::Trouble::Broken;
    if (fault == Fault::Full || fault == Fault::Broken) run(Duration(rng_.below(50'000'000)));
    Kernel::get().kill(*process);
  }

  std::uint64_t acknowledged() const { return acknowledged_; }
  const DiskFigures& figures() const { return disk_.figures(); }

 private:
  static void run(Duration how_long) { Kernel::get().run_until(Kernel::get().now() + how_long); }

  void write(const std::filesystem::path& folder) {
    auto opened = open(kind_, disk_, folder);
    if (!opened) {
      EXPECT_NE(disk_.settings.trouble, DiskSettings::Trouble::None) << opened.error().message;
      return;
    }
    Store& store = **opened;
    const JournalState there = spool_test::journal_of(store, feed);
    const Position last = there.ranges.empty() ? 0 : there.ranges.back().last;
    EXPECT_LE(there.ranges.size(), 1u) << "holes";
    EXPECT_GE(last, acknowledged_) << "acknowledged events are gone";
    auto reader = store.open_reader();
    ASSERT_TRUE(reader) << reader.error().message;
    if (last > 0) {
      const auto frames = (*reader)->read_journal(feed, JournalKind::Captured, {1, last}, 64u << 20);
      ASSERT_TRUE(frames) << frames.error().message;
      EXPECT_EQ(frames->size(), last);
    }
    reader->reset();
    for (Position next = last + 1;;) {
      Kernel::get().sleep(100us);  // also where the store forgets to sync
      std::vector<JournalRecord> batch;
      const std::uint64_t records = 1 + rng_.below(20);
      for (std::uint64_t i = 0; i < records; ++i) batch.push_back(captured(feed, next + i));
      if (const auto done = store.append(batch, Kernel::get().wall()); !done) {
        EXPECT_TRUE(store.frozen()) << done.error().message;
        EXPECT_FALSE(store.append(batch, Kernel::get().wall())) << "a frozen store writes";
        return;
      }
      next += records;
      acknowledged_ = next - 1;
      if (rng_.chance(0.2)) (void)store.maintain(Kernel::get().wall(), {});
    }
  }

  TempDir folder_;
  const Kind kind_;
  Disk disk_;
  Disk::End end_ = Disk::End::Killed;
  Rng rng_;
  std::uint64_t acknowledged_ = 0;
};

class DiskTest : public testing::TestWithParam<Kind> {};

void expect_survival(Kind kind, Fault fault) {
  DiskFigures sum;
  std::uint64_t acknowledged = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Writer writer(kind, seed);
    for (int life = 0; life < 6; ++life) writer.live(fault);
    acknowledged += writer.acknowledged();
    sum.failed_writes += writer.figures().failed_writes;
    sum.slow_syncs += writer.figures().slow_syncs;
    sum.files_torn += writer.figures().files_torn;
    sum.short_writes += writer.figures().short_writes;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(acknowledged, 1000u);  // otherwise nothing was shown
  EXPECT_EQ(sum.failed_writes > 0, fault == Fault::Full || fault == Fault::Broken);
  EXPECT_EQ(sum.slow_syncs > 0, fault == Fault::SlowSync);
  if (kind == Kind::Sqlite) {
    EXPECT_EQ(sum.files_torn > 0, fault == Fault::PowerCut);
    EXPECT_EQ(sum.short_writes > 0, fault == Fault::ShortWrites);
  }
}

TEST_P(DiskTest, a_kill_loses_nothing_that_was_acknowledged) { expect_survival(GetParam(), Fault::Kill); }
TEST_P(DiskTest, a_power_cut_loses_nothing_that_was_acknowledged) { expect_survival(GetParam(), Fault::PowerCut); }
TEST_P(DiskTest, a_full_disk_loses_nothing_that_was_acknowledged) { expect_survival(GetParam(), Fault::Full); }
TEST_P(DiskTest, a_broken_disk_loses_nothing_that_was_acknowledged) { expect_survival(GetParam(), Fault::Broken); }
TEST_P(DiskTest, a_slow_disk_loses_nothing_that_was_acknowledged) { expect_survival(GetParam(), Fault::SlowSync); }

TEST_P(DiskTest, short_writes_lose_nothing_that_was_acknowledged) { expect_survival(GetParam(), Fault::ShortWrites); }

INSTANTIATE_TEST_SUITE_P(Stores, DiskTest, testing::Values(Kind::Simulated, Kind::Sqlite),
                         [](const auto& kind) { return kind.param == Kind::Simulated ? "Simulated" : "Sqlite"; });

}  // namespace
}  // namespace legion::sim
