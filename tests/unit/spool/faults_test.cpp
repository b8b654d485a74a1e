// Write errors and full disks: what was acknowledged stays, nothing else is acknowledged, opening again goes on.
#include "faulty_vfs.hpp"
#include "kit.hpp"

namespace legion {
namespace {

using namespace spool_test;
using testing::HasSubstr;
using testing::IsEmpty;

class Faults : public testing::Test {
 protected:
  FaultyVfs vfs{"legion-faulty"};
  StoreRig rig{StoreKind::Sqlite, {.vfs = "legion-faulty"}};

  void expect_frozen(const Result<void>& failed) {
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::Io);
    ASSERT_TRUE(rig.store().frozen());
    const int failures = vfs.failures();
    vfs.heal();
    // Healed or not: what failed once is not tried again.
    for (const auto& later : {rig.store().append(std::vector{captured(feed, 90)}, noon), rig.store().mark("x", noon),
                              rig.store().bind(feed, BootId{}), rig.store().set_final(feed, 1, 1),
                              rig.store().set_released(feed, JournalKind::Captured, 1, 99)}) {
      ASSERT_FALSE(later);
      EXPECT_EQ(later.error().code, ErrorCode::Io);
      EXPECT_EQ(later.error().message, failed.error().message) << "the first reason";
    }
    EXPECT_FALSE(rig.store().maintain(noon, {}));
    EXPECT_EQ(vfs.failures(), failures);
  }

  /// Everything up to `last` is there, and nothing half.
  void expect_acknowledged(Position last) {
    const auto found = rig.scan();
    EXPECT_GE(found.size(), last);
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], i + 1);
    EXPECT_GE(journal_of(rig.store(), feed).ranges.front().last, last);
    EXPECT_THAT(rig.reader().verify(StoreReader::Depth::Full, nullptr)->damage, IsEmpty());
  }
};

TEST_F(Faults, AFailedSyncFreezesForGood) {
  rig.append({captured(feed, 1), captured(feed, 2)});
  vfs.fail_syncs_after(0);
  expect_frozen(rig.store().append(std::vector{captured(feed, 3)}, noon));
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-2") << "not what was never acknowledged";
  EXPECT_EQ(rig.store().figures().next_commit, 3u);
  EXPECT_EQ(rig.scan().size(), 2u);
  rig.reopen();
  EXPECT_FALSE(rig.store().frozen());
  expect_acknowledged(2);
  rig.append({captured(feed, 3), captured(feed, 4)});
  expect_acknowledged(4);
}

TEST_F(Faults, AWriteErrorAtAnyMomentOfACommitLosesNothing) {
  Position last = 0;
  for (int writes = 0; writes < 12; ++writes) {
    SCOPED_TRACE(writes);
    rig.append({captured(feed, last + 1), captured(feed, last + 2)});
    last += 2;
    vfs.fail_writes_after(writes, writes % 2 == 0 ? SQLITE_IOERR_WRITE : SQLITE_FULL);
    const auto appended = rig.store().append(std::vector{captured(feed, last + 1)}, noon);
    if (appended) {
      ++last;
      vfs.heal();
    } else {
      expect_frozen(appended);
    }
    expect_acknowledged(last);
    rig.reopen();
    expect_acknowledged(last);
    last = journal_of(rig.store(), feed).ranges.front().last;
  }
  EXPECT_GT(vfs.failures(), 0);
}

TEST_F(Faults, AFullDiskSaysSo) {
  rig.append({captured(feed, 1)});
  vfs.fail_writes_after(0, SQLITE_FULL);
  const auto appended = rig.store().append(std::vector{captured(feed, 2)}, noon);
  ASSERT_FALSE(appended);
  EXPECT_THAT(*rig.store().frozen(), HasSubstr("full"));
  EXPECT_THAT(*rig.store().frozen(), HasSubstr(rig.path()));
  vfs.heal();
}

TEST_F(Faults, ErrorsOfHousekeepingFreezeToo) {
  for (Position position = 1; position <= 100; ++position) rig.append({captured(feed, position)});
  vfs.fail_writes_after(1, SQLITE_IOERR_WRITE);
  Result<bool> more = true;
  while (more && *more) more = rig.store().maintain(noon, {});
  ASSERT_FALSE(more);
  EXPECT_TRUE(rig.store().frozen());
  EXPECT_EQ(rig.scan().size(), 100u);
  vfs.heal();
  rig.reopen();
  expect_acknowledged(100);
  rig.maintain();
  expect_acknowledged(100);
}

TEST_F(Faults, WhatIsAcknowledgedWasSynced) {
  rig.append({captured(feed, 1)});
  for (Position position = 2; position < 10; ++position) {
    const int before = vfs.syncs();
    rig.append({captured(feed, position)});
    EXPECT_GT(vfs.syncs(), before);
  }
  const int before = vfs.syncs();
  rig.append({captured(feed, 9)});
  EXPECT_EQ(vfs.syncs(), before) << "nothing new, nothing to sync";
}

TEST_F(Faults, OpeningSyncsBeforeItReports) {
  rig.append({captured(feed, 1)});
  rig.close();
  const int before = vfs.syncs();
  rig.open();
  EXPECT_GT(vfs.syncs(), before);
  rig.close();
  vfs.fail_syncs_after(0);
  const auto opened = SqliteStore::open(rig.path(), {.vfs = vfs.name()});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::Io);
  vfs.heal();
  rig.open();
}

}  // namespace
}  // namespace legion
