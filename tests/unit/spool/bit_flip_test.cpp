// A disk that gives other bits than it was given: what is read is what was written, or is missed and named.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <legion/base/rng.hpp>

#include "kit.hpp"

namespace legion::spool_test {
namespace {

namespace fs = std::filesystem;

constexpr Position last_position = 120;
constexpr auto full = StoreReader::Depth::Full;

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

using Frames = std::map<Position, SharedBytes>;

/// Blocks of one and of several frames, of two streams, with cursors among them.
Frames fill(StoreRig& rig) {
  Frames frames;
  for (Position position = 1; position <= last_position;) {
    std::vector<JournalRecord> batch;
    for (const Position end = std::min(last_position, position + position % 5); position <= end; ++position) {
      batch.push_back(captured(feed, position, position % 3 == 0 ? "market.book" : "market.tick"));
      frames[position] = batch.back().frame;
    }
    rig.append(std::move(batch));
  }
  return frames;
}

struct Outcome {
  std::size_t read = 0;      // frames that are there, all of them as they were written
  bool is_refused = false;   // the store does not open
  bool is_named = false;     // somebody is told that something is wrong
};

Outcome look_at(const std::string& path, const Frames& written) {
  Outcome outcome;
  const auto opened = SqliteStore::open(path, {});
  if (!opened) {
    EXPECT_EQ(opened.error().code, ErrorCode::BadData) << opened.error().message;
    EXPECT_THAT(opened.error().message, testing::HasSubstr(path));
    outcome.is_refused = outcome.is_named = true;
    return outcome;
  }
  SqliteStore& store = **opened;
  outcome.is_named = !store.findings().empty();
  const auto reader = store.open_reader();
  if (!reader) {
    EXPECT_EQ(reader.error().code, ErrorCode::BadData) << reader.error().message;
    outcome.is_named = true;
    return outcome;
  }
  for (const auto& [position, frame] : written) {
    const auto found = (*reader)->read_journal(feed, JournalKind::Captured, {position, position}, 1 << 20);
    if (!found) {
      outcome.is_named = true;
      continue;
    }
    for (const JournalRecord& one : *found) {
      // A void: the row that led to it is gone, as of records that were superseded. verify() below says so.
      if (one.is_void()) continue;
      EXPECT_EQ(one.first, position);
      EXPECT_EQ(*one.frame, *frame) << "position " << position;
      ++outcome.read;
    }
  }
  // Whatever else a spool does with it comes to an end, well or not.
  (void)(*reader)->scan({});
  (void)(*reader)->at(noon);
  (void)(*reader)->tails(*Filter::parse("*"), std::nullopt, 100);
  const auto report = (*reader)->verify(full, nullptr);
  outcome.is_named |= !report || !report->damage.empty() || !report->holes.empty();
  for (int i = 0; i < 50 && store.maintain(noon + 10h, {.retain_for = 1h}).value_or(false); ++i) continue;
  (void)store.append(std::vector{captured(feed, last_position + 1)}, noon);
  return outcome;
}

TEST(BitFlips, AreNeverTakenForEventsAndWhatTheyCostIsNamed) {
  StoreRig rig(StoreKind::Sqlite, {.page_bytes = 4096});
  const Frames written = fill(rig);
  rig.close();
  const std::string whole = content_of(rig.path());
  std::size_t costly = 0, refused = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    std::string flipped = whole;
    for (std::uint64_t flips = 1 + rng.below(4); flips > 0; --flips) {
      flipped[rng.below(flipped.size())] ^= static_cast<char>(1u << rng.below(8));
    }
    const TempDir folder;
    const std::string path = folder.file("spool.db");
    std::ofstream(path, std::ios::binary) << flipped;
    const Outcome outcome = look_at(path, written);
    refused += outcome.is_refused ? 1 : 0;
    if (outcome.read < written.size()) {
      ++costly;
      EXPECT_TRUE(outcome.is_named) << written.size() - outcome.read << " frames are gone without a word";
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(costly, 10u);   // otherwise nothing was shown
  EXPECT_LT(refused, 75u);  // as little as possible is lost
}

}  // namespace
}  // namespace legion::spool_test
