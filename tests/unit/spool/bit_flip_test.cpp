// A disk that gives other bits than it was given: what is read is what was written, or is missed and named.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
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
  std::set<Position> read;   // frames that are there, all of them as they were written
  std::size_t given_up = 0;  // frames that a durable subscription would be told never to wait for
  bool is_refused = false;   // the store does not open
  bool is_named = false;     // somebody is told that something is wrong
};

/// By the way durable subscriptions read. The sequence of an event is its position (see captured()).
void expect_streams(StoreReader& reader, const Frames& written, Outcome& outcome) {
  for (const char* type : {"market.book", "market.tick"}) {
    StreamQuery query{.stream = stream(feed, type), .last = last_position};
    while (query.first <= last_position) {
      const auto page = reader.read_stream(query);
      if (!page) {
        outcome.is_named = true;
        break;
      }
      for (const StreamPage::Part& part : page->parts) {
        using Kind = StreamPage::Part::Kind;
        const auto frame = written.find(part.first);
        const bool is_its = frame != written.end() && (part.first % 3 == 0) == (std::string(type) == "market.book");
        if (part.kind == Kind::Frame) {
          EXPECT_TRUE(is_its && as_text(part.frame) == as_text(*frame->second)) << type << " " << part.first;
        }
        for (Position at = part.first; part.kind == Kind::Never && at <= std::min(part.last, last_position); ++at) {
          outcome.given_up += (at % 3 == 0) == (std::string(type) == "market.book") ? 1 : 0;
        }
      }
      if (page->next <= query.first) break;
      query.first = page->next;
    }
  }
}

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
      outcome.read.insert(position);
    }
  }
  expect_streams(**reader, written, outcome);
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

/// Closed: its books are saved. Copied: what was committed since they were saved has to be read off the blocks.
enum class Image { Closed, Copied };

class BitFlips : public ::testing::TestWithParam<Image> {};

TEST_P(BitFlips, AreNeverTakenForEventsAndWhatTheyCostIsNamed) {
  StoreRig rig(StoreKind::Sqlite, {.page_bytes = 4096});
  const Frames written = fill(rig);
  std::string image = rig.path();
  if (GetParam() == Image::Copied) {
    image = rig.file("copy.db");
    ASSERT_TRUE(rig.store().backup(image));
  }
  rig.close();
  const std::string whole = content_of(image);
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
    if (outcome.read.size() < written.size()) {
      ++costly;
      EXPECT_TRUE(outcome.is_named) << written.size() - outcome.read.size() << " frames are gone without a word";
    }
    EXPECT_TRUE(outcome.is_named || outcome.given_up == 0) << outcome.given_up << " would never be waited for";
    if (HasFailure()) return;
  }
  EXPECT_GT(costly, 10u);   // otherwise nothing was shown
  EXPECT_LT(refused, 75u);  // as little as possible is lost
}

INSTANTIATE_TEST_SUITE_P(Images, BitFlips, ::testing::Values(Image::Closed, Image::Copied),
                         [](const auto& each) { return each.param == Image::Closed ? "Closed" : "Copied"; });

}  // namespace
}  // namespace legion::spool_test
