// What only the store on disk has to do: files, versions, merging, the log, backups.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include <SQLiteCpp/SQLiteCpp.h>

#include <legion/spool/compare.hpp>
#include <legion/spool/sqlite_schema.hpp>

#include "kit.hpp"

namespace legion {
namespace {

using namespace spool_test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto full = StoreReader::Depth::Full;

std::uint64_t blocks_of(StoreRig& rig) { return rig.reader().verify(full, nullptr)->blocks; }

/// `count` events a commit of its own each, from `first` on.
void trickle(StoreRig& rig, Position first, Position count) {
  for (Position position = first; position < first + count; ++position) rig.append({captured(feed, position)});
}

std::vector<JournalRecord> bulk(Position first, Position count, int events = 100) {
  std::vector<JournalRecord> out;
  for (Position i = 0; i < count; ++i) {
    const std::uint64_t sequence = 1 + (first - 1 + i) * static_cast<std::uint64_t>(events);
    out.push_back(record(feed, JournalKind::Captured, first + i, plain_frame(feed, "market.tick", sequence, events)));
  }
  return out;
}

TEST(SqliteStore, IsForOneProcessAtATime) {
  StoreRig rig(StoreKind::Sqlite);
  const auto second = SqliteStore::open(rig.path(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Refused);
  EXPECT_THAT(second.error().message, HasSubstr(rig.path()));
  rig.close();
  EXPECT_TRUE(SqliteStore::open(rig.path(), {}));
}

TEST(SqliteStore, IsForOneProcessAtATimeUnderWhateverName) {
  StoreRig rig(StoreKind::Sqlite);
  std::filesystem::create_symlink(rig.path(), rig.file("link.db"));
  const auto second = SqliteStore::open(rig.file("link.db"), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Refused);
}

TEST(SqliteStore, LeavesADatabaseOfSomethingElseAsItIs) {
  StoreRig rig(StoreKind::Sqlite);
  const std::string path = rig.file("other.db");
  SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
  const auto bytes = [&] {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = bytes();
  const auto opened = SqliteStore::open(path, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::BadData);
  EXPECT_THAT(opened.error().message, HasSubstr(path));
  EXPECT_EQ(bytes(), before);
  EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
}

TEST(SqliteStore, ThatMayNotBeWrittenIsNotOpenedForWriting) {
  StoreRig rig(StoreKind::Sqlite);
  rig.close();
  std::filesystem::permissions(rig.path(), std::filesystem::perms(0444));
  const std::filesystem::path folder = std::filesystem::path(rig.path()).parent_path();
  std::filesystem::permissions(folder, std::filesystem::perms::all);
  std::filesystem::remove(rig.path() + ".lock");
  const pid_t child = fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (geteuid() == 0 && setuid(nobody) != 0) _exit(2);  // root may write everything
    const auto opened = SqliteStore::open(rig.path(), {});
    _exit(!opened && opened.error().code == ErrorCode::Io ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(SqliteStore, KeepsItsIdentity) {
  StoreRig rig(StoreKind::Sqlite), other(StoreKind::Sqlite);
  const StoreId id = rig.store().id();
  EXPECT_NE(id, other.store().id());
  EXPECT_NE(id, StoreId{});
  rig.reopen();
  EXPECT_EQ(rig.store().id(), id);
}

TEST(SqliteStore, CanBeReadWhileAnotherWrites) {
  StoreRig rig(StoreKind::Sqlite);
  rig.append({captured(feed, 1)});
  const auto watcher = SqliteStore::open(rig.path(), {.mode = SqliteStore::Mode::ReadOnly});
  ASSERT_TRUE(watcher) << watcher.error().message;
  rig.append({captured(feed, 2)});
  const auto reader = (*watcher)->open_reader();
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->scan({})->frames.size(), 2u);
  EXPECT_EQ(text_of(journal_of(**watcher, feed).ranges), "1-1") << "as of its opening";
  for (const auto& refused : {(*watcher)->append(std::vector{captured(feed, 3)}, noon), (*watcher)->mark("x", noon),
                              (*watcher)->bind(feed, BootId{}), (*watcher)->set_final(feed, 1, 1)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Refused);
  }
  EXPECT_FALSE(SqliteStore::open(rig.file("none"), {.mode = SqliteStore::Mode::ReadOnly}));
}

TEST(SqliteStore, RefusesWhatALaterVersionWrote) {
  StoreRig rig(StoreKind::Sqlite);
  rig.close();
  SQLite::Database(rig.path(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
  for (const auto mode : {SqliteStore::Mode::ReadWrite, SqliteStore::Mode::ReadOnly}) {
    const auto opened = SqliteStore::open(rig.path(), {.mode = mode});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::WrongVersion);
    EXPECT_THAT(opened.error().message, HasSubstr("99"));
  }
}

TEST(SqliteStore, RefusesOtherDatabasesAndOtherFiles) {
  TempDir folder;
  SQLite::Database(folder.file("other"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE t(a)");
  std::ofstream(folder.file("text")) << std::string(100'000, 'x');
  for (const char* name : {"other", "text"}) {
    const auto opened = SqliteStore::open(folder.file(name), {});
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(opened.error().code, ErrorCode::BadData) << opened.error().message;
  }
  EXPECT_EQ(std::filesystem::file_size(folder.file("text")), 100'000u);
}

TEST(SqliteStore, IsBroughtFromVersionToVersion) {
  TempDir folder;
  const std::string path = folder.file("old");
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("CREATE TABLE t(a); PRAGMA user_version = 3");
  const std::vector<spool::Migration> steps{{3, "ALTER TABLE t ADD b"}, {4, "ALTER TABLE t ADD c"}};
  EXPECT_TRUE(spool::migrate(database, path, steps, 5));
  EXPECT_EQ(database.execAndGet("PRAGMA user_version").getInt(), 5);
  EXPECT_EQ(SQLite::Statement(database, "SELECT * FROM t").getColumnCount(), 3);
  EXPECT_EQ(spool::migrate(database, path, steps, 7).error().code, ErrorCode::WrongVersion) << "no way";
  const std::vector<spool::Migration> broken{{5, "ALTER TABLE t ADD d; ALTER TABLE none ADD e"}};
  EXPECT_FALSE(spool::migrate(database, path, broken, 6));
  EXPECT_EQ(SQLite::Statement(database, "SELECT * FROM t").getColumnCount(), 3) << "a step is one transaction";
}

TEST(SqliteStore, MergesATrickleIntoFewBlocks) {
  StoreRig rig(StoreKind::Sqlite, {.block_bytes = 64 << 10});
  constexpr Position count = 3000;
  for (Position first = 1; first <= count; first += 100) {
    trickle(rig, first, 100);
    rig.maintain();
  }
  const auto report = rig.reader().verify(full, nullptr);
  ASSERT_TRUE(report);
  EXPECT_THAT(report->damage, IsEmpty());
  EXPECT_EQ(report->frames, count);
  // About 120 bytes of frame each: 6 full blocks, and the last ones of both sizes on their way.
  EXPECT_LT(report->blocks, 6u + 70u);
  EXPECT_EQ(rig.store().figures().blocks, report->blocks);
  EXPECT_THAT(rig.scan(), SizeIs(count));
  EXPECT_EQ(rig.reader().find(*EventId::parse("feed-1:1000001:2:market.tick:0:1234")).value(), 1234u);
}

TEST(SqliteStore, MergingChangesNothingThatCanBeSeen) {
  StoreRig merged(StoreKind::Sqlite, {.block_bytes = 4 << 10}), plain(StoreKind::Sqlite);
  std::vector<JournalRecord> records;
  for (Position position = 1; position <= 200; ++position) {
    records.push_back(position % 7 == 0 ? void_of(feed, {position, position}, {span_of(position, position)})
                                        : captured(feed, position, position % 3 == 0 ? "trade.done" : "market.tick"));
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    merged.append({records[i]}, noon + Duration(static_cast<std::int64_t>(i)));
    plain.append({records[i]}, noon + Duration(static_cast<std::int64_t>(i)));
  }
  const std::uint64_t before = blocks_of(merged);
  merged.maintain();
  EXPECT_LT(blocks_of(merged), before / 4);
  EXPECT_EQ(merged.reader().verify(full, nullptr)->chain, plain.reader().verify(full, nullptr)->chain);
  EXPECT_THAT(merged.reader().verify(full, nullptr)->damage, IsEmpty());
  EXPECT_EQ(merged.scan(), plain.scan());
  EXPECT_EQ(merged.read(stream(feed)), plain.read(stream(feed)));
  EXPECT_EQ(merged.reader().at(noon + Duration(99)).value(), plain.reader().at(noon + Duration(99)).value());
  EXPECT_THAT(compare({merged.store().journals(), &merged.reader()}, {plain.store().journals(), &plain.reader()}, 9).value(),
              IsEmpty());
}

TEST(SqliteStore, MergingDropsRecordsThatCountNoMore) {
  StoreRig rig(StoreKind::Sqlite);
  const auto cursor = [](std::uint64_t done, CursorRecord::Form form) {
    return CursorRecord{"audit", {1, "desk-1"}, "trade.", form, {{stream(feed, "trade.done"), done, {}}}};
  };
  rig.append({record(desk, JournalKind::Confirmed, 1, record_frame(desk, 1, {cursor(0, CursorRecord::Form::Whole)}))});
  // So many tiny blocks that merging takes them all at once.
  for (Position position = 2; position <= 32; ++position) {
    rig.append({record(desk, JournalKind::Confirmed, position,
                       record_frame(desk, position, {cursor(position, CursorRecord::Form::Delta)}))});
  }
  const auto chain = rig.reader().verify(full, nullptr)->chain;
  rig.maintain();
  const auto report = rig.reader().verify(full, nullptr);
  EXPECT_EQ(report->frames, 2u) << "the whole one, and the last";
  EXPECT_EQ(report->chain, chain);
  EXPECT_THAT(report->damage, IsEmpty());
  EXPECT_THAT(report->holes, IsEmpty());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(text_of(journal_of(rig.store(), desk, JournalKind::Confirmed).ranges), "1-32");
    EXPECT_EQ(text_of(journal_of(rig.store(), desk, JournalKind::Confirmed).voids), "");
    EXPECT_EQ(rig.reader().cursor("audit").value()->merged.streams.front().done, 32u);
    rig.reopen();
  }
  const auto records = rig.reader().read_journal(desk, JournalKind::Confirmed, {1, 32}, 1 << 20).value();
  ASSERT_EQ(records.size(), 3u) << "for another spool: the first, a void for what was dropped, the last";
  EXPECT_TRUE(records[1].is_void());
  EXPECT_EQ(records[1].first, 2u);
  EXPECT_EQ(records[1].last, 31u);
  // Another spool that gets these ends up with the same cursor.
  StoreRig other(StoreKind::Sqlite);
  other.append(records);
  EXPECT_EQ(other.reader().cursor("audit").value()->merged, rig.reader().cursor("audit").value()->merged);
}

TEST(SqliteStore, TheLogStaysBoundedAlsoWhileReadersComeAndGo) {
  StoreRig rig(StoreKind::Sqlite, {.block_bytes = 64 << 10, .log_bytes = 256 << 10});
  std::mt19937_64 random(7);
  for (Position i = 1; i <= 300; ++i) {
    Event event = make_event("market.tick", i);
    Bytes noise(20'000);
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random());
    MsgpackWriter data;
    data.bin(noise);
    event.data = data.take();
    rig.append({record(feed, JournalKind::Captured, i, frame_of(feed, {event}, i))});
    ASSERT_TRUE(rig.reader().scan({.from = i > 50 ? i - 50 : 1}));
  }
  // 6 MB went through it; nobody called maintain().
  EXPECT_LT(std::filesystem::file_size(rig.path() + "-wal"), 3u << 20);
  rig.maintain();
  EXPECT_LT(std::filesystem::file_size(rig.path() + "-wal"), 3u << 20);
  EXPECT_GT(rig.store().figures().bytes_on_disk, 6'000'000u);
}

TEST(SqliteStore, BacksUpWhileItWrites) {
  StoreRig rig(StoreKind::Sqlite);
  rig.append(bulk(1, 50));
  auto reader = rig.store().open_reader().value();
  ASSERT_TRUE(rig.store().backup(rig.file("copy")));
  rig.append(bulk(51, 50));
  const auto again = rig.store().backup(rig.file("copy"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::Io);
  EXPECT_FALSE(rig.store().backup(rig.file("no/such/folder/copy")));

  auto copy = SqliteStore::open(rig.file("copy"), {});
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ((*copy)->id(), rig.store().id());
  EXPECT_EQ(text_of(journal_of(**copy, feed).ranges), "1-50");
  auto copy_reader = (*copy)->open_reader().value();
  EXPECT_THAT(copy_reader->verify(full, nullptr)->damage, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(rig.file("copy.partial")));
}

TEST(SqliteStore, VerifyTellsHowFarItIsAndCanBeStopped) {
  StoreRig rig(StoreKind::Sqlite);
  trickle(rig, 1, 20);
  std::uint64_t seen = 0, of = 0;
  const auto report = rig.reader().verify(full, [&](std::uint64_t done, std::uint64_t all) {
    seen = done;
    of = all;
    return done < 5;
  });
  ASSERT_TRUE(report);
  EXPECT_EQ(seen, 5u);
  EXPECT_EQ(of, 20u);
  EXPECT_EQ(report->blocks, 5u);
}

TEST(SqliteStore, ComparesAsASetWhateverTheOrder) {
  StoreRig first(StoreKind::Sqlite), second(StoreKind::Sqlite);
  first.append({captured(feed, 1), captured(feed, 2), captured(feed, 3), captured(desk, 1)});
  second.append({captured(desk, 1)});
  second.append({captured(feed, 3)});
  second.append({captured(feed, 1), captured(feed, 2)});
  const auto differences = [&] {
    return compare({first.store().journals(), &first.reader()}, {second.store().journals(), &second.reader()}, 100)
        .value();
  };
  EXPECT_THAT(differences(), IsEmpty());
  second.append({captured(feed, 9)});
  first.append({void_of(desk, {2, 3}, {span_of(2, 3)}), record(feed, JournalKind::Captured, 5, plain_frame(feed, "trade.a", 1))});
  second.append({captured(desk, 2), captured(desk, 3), record(feed, JournalKind::Captured, 5, plain_frame(feed, "trade.b", 1))});
  std::vector<std::string> found;
  for (const StoreDifference& each : differences()) {
    found.push_back(each.journal + " " + text_of({each.range}) + " " + std::string(to_string(each.kind)));
  }
  EXPECT_THAT(found, ElementsAre("desk-1:2000001:captured 2-3 frame_only_second", "feed-1:1000001:captured 5-5 differ",
                                 "feed-1:1000001:captured 9-9 only_second"));
}

TEST(SqliteStore, ALargeAppendBecomesEqualBlocks) {
  StoreRig rig(StoreKind::Sqlite, {.block_bytes = 64 << 10});
  const auto records = bulk(1, 40);
  std::size_t bytes = 0;
  for (const JournalRecord& each : records) bytes += each.frame->size();
  const std::size_t blocks = (bytes + (32 << 10)) / (64 << 10);
  ASSERT_GE(blocks, 2u);
  ASSERT_GT(bytes % (64 << 10), 0u);
  rig.append(records);
  EXPECT_EQ(rig.store().figures().blocks, blocks) << "no small rest";
  rig.maintain();
  EXPECT_EQ(rig.store().figures().blocks, blocks) << "nothing to merge";
  EXPECT_EQ(rig.store().figures().events, 4000u);
  EXPECT_EQ(rig.read(stream(feed), 1950, 1950), "frame 1901-2000");
}

}  // namespace
}  // namespace legion
