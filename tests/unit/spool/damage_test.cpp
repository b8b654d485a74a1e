// Files that crashes, disks and people have been at.
#include <fstream>
#include <random>

#include <SQLiteCpp/SQLiteCpp.h>

#include <legion/spool/block_contents.hpp>

#include "kit.hpp"

namespace legion {
namespace {

using namespace spool_test;
namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto full = StoreReader::Depth::Full;
constexpr auto checksums = StoreReader::Depth::Checksums;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Commits of one event each, from `first` to `last`.
void fill(StoreRig& rig, Position first, Position last) {
  for (Position position = first; position <= last; ++position) rig.append({captured(feed, position)});
}

/// Flips a bit within the body of a block, in the file of a closed store.
void damage_block(const std::string& path, CommitNumber first) {
  std::string body;
  {
    SQLite::Database database(path, SQLite::OPEN_READONLY);
    SQLite::Statement query(database, "SELECT data FROM body WHERE block = ?");
    query.bind(1, static_cast<std::int64_t>(first));
    ASSERT_TRUE(query.executeStep());
    body = query.getColumn(0).getString();
  }
  std::string file = read_file(path);
  const std::size_t at = file.find(body);
  ASSERT_NE(at, std::string::npos);
  file[at + body.size() / 2] ^= 0x10;
  write_file(path, file);
}

/// The store as a crash at this moment would leave it, at another path.
std::string crash_image(StoreRig& rig, const std::string& name) {
  const std::string image = rig.file(name);
  fs::copy_file(rig.path(), image);
  if (fs::exists(rig.path() + "-wal")) fs::copy_file(rig.path() + "-wal", image + "-wal");
  return image;
}

std::vector<Position> numbers(SqliteStore& store) {
  auto reader = store.open_reader().value();
  std::vector<Position> out;
  const auto page = reader->scan({});
  for (const StoredFrame& frame : page->frames) out.push_back(frame.position);
  return out;
}

TEST(Damage, AFlippedBitCostsOneBlockUntilItIsFilledAgain) {
  StoreRig rig(StoreKind::Sqlite);
  fill(rig, 1, 9);
  rig.close();
  damage_block(rig.path(), 3);
  rig.open();

  EXPECT_THAT(rig.scan(), ElementsAre(1, 2, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(rig.read(stream(feed), 2, 4), "frame 2-2, missing 3-3, frame 4-4");
  const auto report = rig.reader().verify(checksums, nullptr);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage[0].block, 3);
  EXPECT_EQ(report->damage[0].first, 3u);
  EXPECT_EQ(report->damage[0].last, 3u);
  EXPECT_EQ(report->damage[0].what, "checksum");

  rig.maintain();
  EXPECT_EQ(rig.store().figures().quarantined, 1u);
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-2 4-9");
  EXPECT_THAT(rig.reader().verify(checksums, nullptr)->damage[0].what, HasSubstr("quarantined"));
  rig.reopen();
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-2 4-9");
  ASSERT_EQ(rig.reader().verify(full, nullptr)->holes.size(), 1u);

  rig.append({captured(feed, 3)});
  EXPECT_EQ(rig.read(stream(feed), 2, 4), "frame 2-2, frame 3-3, frame 4-4");
  EXPECT_THAT(rig.scan(), ElementsAre(1, 2, 4, 5, 6, 7, 8, 9, 10));
  const auto after = rig.reader().verify(full, nullptr);
  EXPECT_EQ(after->damage.size(), 1u) << "its bytes stay";
  EXPECT_THAT(after->holes, IsEmpty());
}

TEST(Damage, TheLastBlocksAreLookedAtBeforePositionsAreReported) {
  StoreRig rig(StoreKind::Sqlite);
  fill(rig, 1, 9);
  rig.close();
  damage_block(rig.path(), 8);
  rig.open();
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-7 9-9");
  EXPECT_EQ(rig.store().figures().quarantined, 1u);
}

TEST(Damage, ADamagedBlockDoesNotStopMergingOrRetention) {
  StoreRig rig(StoreKind::Sqlite, {.block_bytes = 4 << 10});
  fill(rig, 1, 100);
  rig.close();
  damage_block(rig.path(), 50);
  rig.open();
  rig.maintain();
  EXPECT_EQ(rig.store().figures().quarantined, 1u);
  EXPECT_LT(rig.store().figures().blocks, 30u);
  EXPECT_EQ(rig.scan().size(), 99u);
  rig.maintain(noon + 10h, {.retain_for = 1h});
  EXPECT_THAT(rig.scan(), IsEmpty());
  EXPECT_EQ(rig.store().figures().blocks, 1u) << "what is damaged is not deleted";
}

TEST(Damage, ACrashImageHasEveryAcknowledgedEvent) {
  StoreRig rig(StoreKind::Sqlite);
  for (Position position = 1; position <= 5; ++position) {
    rig.append({captured(feed, position)});
    const std::string image = crash_image(rig, "image" + std::to_string(position));
    const auto opened = SqliteStore::open(image, {});
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(text_of(journal_of(**opened, feed).ranges), "1-" + std::to_string(position));
    EXPECT_THAT((*opened)->findings(), IsEmpty());
  }
}

/// What was committed since the books were saved is read off the blocks: from what readers find of them, not from what
/// a block says about itself, or the spool would acknowledge what it never had.
TEST(Damage, ABlockThatSaysItHoldsMoreThanItDoesIsNotBelieved) {
  StoreRig rig(StoreKind::Sqlite);
  fill(rig, 1, 5);
  const std::string image = crash_image(rig, "image");
  {
    SQLite::Database database(image, SQLite::OPEN_READWRITE);
    SQLite::Statement query(database, "SELECT contents FROM block WHERE first = 5");
    ASSERT_TRUE(query.executeStep());
    const std::string bytes = query.getColumn(0).getString();
    auto contents = spool::decode_contents(as_bytes_view(bytes));
    ASSERT_TRUE(contents);
    contents->positions.at(0).range.last += 64;
    const Bytes changed = spool::encode(*contents);
    SQLite::Statement change(database, "UPDATE block SET contents = ? WHERE first = 5");
    change.bind(1, changed.data(), static_cast<int>(changed.size()));
    ASSERT_EQ(change.exec(), 1);
  }
  const auto opened = SqliteStore::open(image, {});
  ASSERT_TRUE(opened) << opened.error().message;
  for (int i = 0; i < 10 && (*opened)->maintain(noon, {}).value_or(false); ++i) continue;
  EXPECT_EQ(text_of(journal_of(**opened, feed).ranges), "1-4");
  EXPECT_EQ((*opened)->figures().quarantined, 1u);
}

TEST(Damage, OfALogThatIsCutOffTheWholeCommitsCount) {
  StoreRig rig(StoreKind::Sqlite);
  fill(rig, 1, 10);
  const std::string image = crash_image(rig, "image");
  const std::string log = read_file(image + "-wal");
  std::size_t before = 10;
  for (std::size_t size = log.size(); size > 0; size -= std::min<std::size_t>(size, 30'001)) {
    write_file(image + "-wal", log.substr(0, size));
    for (const char* suffix : {"", "-wal"}) {
      fs::copy_file(image + suffix, rig.file(std::string("cut") + suffix), fs::copy_options::overwrite_existing);
    }
    {
      const auto opened = SqliteStore::open(rig.file("cut"), {});
      ASSERT_TRUE(opened) << opened.error().message;
      const auto found = numbers(**opened);
      EXPECT_LE(found.size(), before);
      before = found.size();
      for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], i + 1);
      EXPECT_TRUE((*opened)->append(std::vector{captured(feed, 77)}, noon));
    }
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(rig.file(std::string("cut") + suffix));
  }
  EXPECT_LT(before, 10u);
}

TEST(Damage, AStaleLogIsSetAside) {
  StoreRig rig(StoreKind::Sqlite, {.log_bytes = 0});
  fill(rig, 1, 3);
  const std::string stale = read_file(rig.path() + "-wal");
  for (Position position = 4; position <= 12; ++position) {
    fill(rig, position, position);
    rig.maintain();
  }
  rig.close();
  write_file(rig.path() + "-wal", stale);
  rig.open();
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-12");
  EXPECT_THAT(rig.reader().verify(full, nullptr)->damage, IsEmpty());
  EXPECT_THAT(rig.sqlite().findings(), Contains(HasSubstr("stale-1")));
  EXPECT_EQ(read_file(rig.path() + "-wal.stale-1"), stale) << "nothing is deleted";
}

TEST(Damage, AnEarlierStateOfTheSameLogIsSetAside) {
  StoreRig rig(StoreKind::Sqlite);
  fill(rig, 1, 3);
  const std::string early = read_file(rig.path() + "-wal");
  fill(rig, 4, 6);
  const std::string image = crash_image(rig, "image");
  {
    ASSERT_TRUE(SqliteStore::open(image, {}));
  }  // takes all of the log in, and does nothing else
  write_file(image + "-wal", early);
  const auto opened = SqliteStore::open(image, {});
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(text_of(journal_of(**opened, feed).ranges), "1-6");
  EXPECT_THAT((*opened)->findings(), Contains(HasSubstr("stale-1")));
}

TEST(Damage, AnEarlierStateOfALogThatOnlyAMarkIsBehindIsSetAside) {
  StoreRig rig(StoreKind::Sqlite, {.log_bytes = 0});
  fill(rig, 1, 3);
  rig.maintain();
  fill(rig, 4, 4);
  ASSERT_TRUE(rig.store().set_floor(feed, JournalKind::Captured, 1));  // saves the head
  const std::string early = read_file(rig.path() + "-wal");
  ASSERT_TRUE(rig.store().mark("here", noon));
  rig.close();
  write_file(rig.path() + "-wal", early);
  rig.open();
  EXPECT_THAT(rig.reader().marks().value(), Not(IsEmpty()));
  EXPECT_THAT(rig.sqlite().findings(), Contains(HasSubstr("stale-1")));
}

TEST(Damage, TheLogOfALaterTimeIsNotAppliedToAnOlderCopy) {
  StoreRig rig(StoreKind::Sqlite, {.log_bytes = 0});
  fill(rig, 1, 3);
  rig.close();
  const std::string older = read_file(rig.path());
  rig.open();
  for (Position position = 4; position <= 12; ++position) {
    fill(rig, position, position);
    rig.maintain();
  }
  fill(rig, 13, 14);
  const std::string later_log = read_file(rig.path() + "-wal");
  rig.close();
  write_file(rig.path(), older);
  write_file(rig.path() + "-wal", later_log);
  rig.open();
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-3") << "as a backup: the rest comes from elsewhere";
  EXPECT_THAT(rig.sqlite().findings(), Contains(HasSubstr("does not belong")));
  fill(rig, 4, 14);
  EXPECT_THAT(rig.reader().verify(full, nullptr)->damage, IsEmpty());
}

TEST(Damage, AnOlderCopyRestoredIsFilledAgain) {
  StoreRig rig(StoreKind::Sqlite);
  fill(rig, 1, 3);
  ASSERT_TRUE(rig.store().backup(rig.file("backup")));
  fill(rig, 4, 6);
  rig.close();
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(rig.path() + suffix);
  fs::copy_file(rig.file("backup"), rig.path());
  rig.open();
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-3");
  EXPECT_THAT(rig.sqlite().findings(), IsEmpty());
  fill(rig, 1, 6);
  EXPECT_EQ(rig.scan().size(), 6u);
}

/// An event that does not compress.
JournalRecord noisy(Position position) {
  std::mt19937_64 random(position);
  Bytes noise(500);
  for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random());
  MsgpackWriter data;
  data.bin(noise);
  Event event = make_event("market.tick", position);
  event.data = data.take();
  return record(feed, JournalKind::Captured, position, frame_of(feed, {event}, position));
}

/// So much that most pages are those of blocks.
void fill_long(StoreRig& rig) {
  const CursorRecord cursor{"audit", {1, "desk-1"}, "trade.", CursorRecord::Form::Whole, {{stream(feed), 5, {}}}};
  rig.append({record(desk, JournalKind::Confirmed, 1, record_frame(desk, 1, {cursor}))});
  for (Position position = 1; position <= 200; ++position) rig.append({noisy(position)});
  EXPECT_TRUE(rig.store().mark("here", noon));
}

TEST(Damage, OfAFileThatIsCutOffTheRestIsSalvaged) {
  StoreRig rig(StoreKind::Sqlite, {.page_bytes = 4096});
  fill_long(rig);
  rig.close();
  const std::string whole = read_file(rig.path());
  for (const std::size_t share : {90u, 70u, 50u}) {
    SCOPED_TRACE(share);
    write_file(rig.path(), whole.substr(0, whole.size() * share / 100));
    {
      // Looking changes nothing.
      const auto watcher = SqliteStore::open(rig.path(), {.mode = SqliteStore::Mode::ReadOnly});
      if (watcher) {
        EXPECT_THAT((*watcher)->open_reader().value()->verify(checksums, nullptr)->damage, Not(IsEmpty()));
      }
    }
    rig.open();
    EXPECT_THAT(rig.sqlite().findings(), Not(IsEmpty()));
    EXPECT_THAT(rig.reader().verify(full, nullptr)->damage, IsEmpty());
    const auto left = rig.scan();
    EXPECT_GT(left.size(), 10u) << testing::PrintToString(rig.sqlite().findings());
    EXPECT_LT(left.size(), 200u);
    EXPECT_TRUE(fs::exists(rig.path() + ".damaged-1"));
    std::vector<JournalRecord> again;
    for (Position position = 1; position <= 200; ++position) again.push_back(noisy(position));
    rig.append(again);
    EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-200");
    EXPECT_EQ(rig.scan().size(), 200u);
    rig.close();
    EXPECT_EQ(read_file(rig.path() + ".damaged-1"), whole.substr(0, whole.size() * share / 100))
        << "nothing is deleted";
    for (const char* suffix : {"", "-wal"}) fs::remove(rig.path() + ".damaged-1" + suffix);
  }
}

TEST(Damage, AFileThatIsCutInsideAFreePageIsNotSound) {
  StoreRig rig(StoreKind::Sqlite);
  fill(rig, 1, 3);
  rig.close();
  {
    SQLite::Database database(rig.path(), SQLite::OPEN_READWRITE);
    database.exec("CREATE TABLE big (data BLOB)");
    database.exec("INSERT INTO big VALUES (zeroblob(100000))");
    database.exec("DROP TABLE big");
    ASSERT_GT(database.execAndGet("PRAGMA freelist_count").getInt(), 4);
  }
  const auto findings = [&] {
    return SqliteStore::open(rig.path(), {.mode = SqliteStore::Mode::ReadOnly})
        .value()
        ->open_reader()
        .value()
        ->verify(full, nullptr)
        ->damage;
  };
  EXPECT_THAT(findings(), IsEmpty());
  const std::string whole = read_file(rig.path());
  write_file(rig.path(), whole.substr(0, whole.size() - 100));
  ASSERT_EQ(findings().size(), 1u);
  EXPECT_THAT(findings()[0].what, AllOf(HasSubstr("cut off"), HasSubstr(rig.path())));
}

TEST(Damage, AFileThatLacksAPartOfItsLastPageIsSalvagedToo) {
  StoreRig rig(StoreKind::Sqlite);  // pages of 16 KiB
  fill_long(rig);
  rig.close();
  const std::string whole = read_file(rig.path());
  write_file(rig.path(), whole.substr(0, whole.size() - 3 * 4096));
  rig.open();
  EXPECT_THAT(rig.sqlite().findings(), Contains(HasSubstr("cut off")));
  EXPECT_THAT(rig.sqlite().findings(), Contains(HasSubstr("salvaged")));
  std::vector<JournalRecord> again;
  for (Position position = 1; position <= 200; ++position) again.push_back(noisy(position));
  rig.append(again);
  EXPECT_EQ(rig.scan().size(), 200u);
  EXPECT_THAT(rig.reader().verify(full, nullptr)->damage, IsEmpty());
}

std::vector<std::int64_t> leaves_of_blocks(const std::string& path) {
  std::vector<std::int64_t> pages;
  const std::string file = read_file(path);
  const auto number = [&](std::size_t at, int bytes) {
    std::int64_t out = 0;
    for (int i = 0; i < bytes; ++i) out = out << 8 | static_cast<std::uint8_t>(file[at + static_cast<std::size_t>(i)]);
    return out;
  };
  SQLite::Database database(path, SQLite::OPEN_READONLY);
  const auto root = static_cast<std::size_t>(
                        database.execAndGet("SELECT rootpage FROM sqlite_schema WHERE name = 'block'").getInt64() - 1) *
                    4096;
  EXPECT_EQ(number(root, 1), 5) << "an interior page";
  for (std::int64_t i = 0; i < number(root + 3, 2); ++i) {
    const std::int64_t cell = number(root + 12 + 2 * static_cast<std::size_t>(i), 2);
    pages.push_back(number(root + static_cast<std::size_t>(cell), 4));
  }
  return pages;
}

TEST(Damage, PagesInTheMiddleThatAreGoneCostWhatTheyHeld) {
  StoreRig rig(StoreKind::Sqlite, {.page_bytes = 4096});
  fill_long(rig);
  rig.close();
  const auto leaves = leaves_of_blocks(rig.path());
  ASSERT_GE(leaves.size(), 5u);
  std::string file = read_file(rig.path());
  for (const std::size_t leaf : {1u, 3u})
    file.replace(static_cast<std::size_t>(leaves[leaf] - 1) * 4096, 4096, 4096, '\0');
  write_file(rig.path(), file);
  {
    auto watcher = SqliteStore::open(rig.path(), {.mode = SqliteStore::Mode::ReadOnly});
    ASSERT_TRUE(watcher) << watcher.error().message;
    const auto report = (*watcher)->open_reader().value()->verify(checksums, nullptr);
    ASSERT_TRUE(report);
    EXPECT_GT(report->frames, 50u) << "what lies behind is looked at too";
    EXPECT_EQ(report->damage.size(), 2u);
  }
  std::ofstream(rig.path() + ".suspect");  // as the store that met it would have left
  rig.open();
  EXPECT_THAT(rig.sqlite().findings(), Contains(HasSubstr("could not be read: 2")));
  const auto left = rig.scan();
  // The first leaf, the third, and those behind the fourth: an island between two that are gone is not lost.
  EXPECT_EQ(left.front(), 2u);
  EXPECT_EQ(left.back(), 201u);
  int islands = 1;
  for (std::size_t i = 1; i < left.size(); ++i) islands += left[i] != left[i - 1] + 1 ? 1 : 0;
  EXPECT_EQ(islands, 3);
  std::vector<JournalRecord> again;
  for (Position position = 1; position <= 200; ++position) again.push_back(noisy(position));
  rig.append(again);
  EXPECT_EQ(rig.scan().size(), 200u);
}

TEST(Damage, APageOfTheIndexThatIsGoneIsMadeAgain) {
  StoreRig rig(StoreKind::Sqlite, {.page_bytes = 4096});
  fill_long(rig);
  const StoreId id = rig.store().id();
  rig.close();
  std::int64_t page = 0;
  {
    SQLite::Database database(rig.path(), SQLite::OPEN_READONLY);
    page = database.execAndGet("SELECT rootpage FROM sqlite_schema WHERE name = 'position'").getInt64();
  }
  std::string file = read_file(rig.path());
  file.replace(static_cast<std::size_t>(page - 1) * 4096, 4096, 4096, '\0');
  write_file(rig.path(), file);

  rig.open();
  const auto appended = rig.store().append(std::vector{captured(feed, 201)}, noon);
  ASSERT_FALSE(appended);
  EXPECT_TRUE(rig.store().frozen());
  EXPECT_EQ(rig.scan().size(), 200u) << "what was acknowledged stays readable";
  rig.reopen();
  EXPECT_THAT(rig.sqlite().findings(), Contains(HasSubstr("salvaged")));
  EXPECT_EQ(rig.store().id(), id);
  EXPECT_EQ(text_of(journal_of(rig.store(), feed).ranges), "1-200");
  EXPECT_EQ(rig.scan().size(), 200u);
  EXPECT_EQ(rig.reader().cursor("audit").value()->merged.streams.front().done, 5u);
  EXPECT_THAT(rig.reader().marks().value(), ElementsAre(std::pair<std::string, CommitNumber>("here", 202)));
  EXPECT_THAT(rig.reader().verify(full, nullptr)->damage, IsEmpty());
  rig.append({captured(feed, 201)});
  rig.reopen();
  EXPECT_THAT(rig.sqlite().findings(), IsEmpty());
}

}  // namespace
}  // namespace legion
