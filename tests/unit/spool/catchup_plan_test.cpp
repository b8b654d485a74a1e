// What a spool wants from another, against plain sets of positions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

#include <legion/spool/catchup_plan.hpp>

namespace legion {
namespace {

using Positions = std::set<Position>;

Positions positions_of(const PositionSet& set) {
  Positions all;
  for (const PositionRange& range : set.ranges()) {
    for (Position at = range.first; at <= range.last; ++at) all.insert(at);
  }
  return all;
}

PositionSet set_of(const Positions& positions) {
  PositionSet set;
  for (const Position at : positions) set.add({at, at});
  return set;
}

JournalState state(std::vector<PositionRange> ranges, std::vector<PositionRange> voids = {}, Position floor = 0) {
  JournalState state;
  state.ranges = std::move(ranges);
  state.voids = std::move(voids);
  state.floor = floor;
  return state;
}

JournalRecord frame(Position at) {
  JournalRecord record;
  record.first = record.last = at;
  record.frame = std::make_shared<const Bytes>(Bytes{1});
  return record;
}

JournalRecord gap(Position first, Position last) {
  JournalRecord record;
  record.first = first;
  record.last = last;
  return record;
}

TEST(CatchupPlan, WantsHolesAndTheEndApart) {
  const CatchupWants wants = catchup_wants(state({{1, 10}, {21, 30}}), state({{1, 40}}));
  EXPECT_EQ(wants.holes.ranges(), (std::vector<PositionRange>{{11, 20}}));
  EXPECT_EQ(wants.end.ranges(), (std::vector<PositionRange>{{31, 40}}));
  EXPECT_TRUE(wants.voids.empty());
}

TEST(CatchupPlan, WantsNothingThatRetentionTookHere) {
  const CatchupWants wants = catchup_wants(state({{101, 110}}, {}, 100), state({{1, 120}}));
  EXPECT_TRUE(wants.holes.empty());
  EXPECT_EQ(wants.end.ranges(), (std::vector<PositionRange>{{111, 120}}));
  EXPECT_TRUE(catchup_wants(state({}, {}, 100), state({{50, 100}})).empty());
}

TEST(CatchupPlan, WantsFramesForVoidsButNotVoidsForVoids) {
  const CatchupWants wants = catchup_wants(state({{1, 20}}, {{5, 14}}), state({{1, 12}}, {{1, 7}}));
  EXPECT_TRUE(wants.holes.empty());
  EXPECT_TRUE(wants.end.empty());
  EXPECT_EQ(wants.voids.ranges(), (std::vector<PositionRange>{{8, 12}}));
}

TEST(CatchupPlan, AsksForPartsCloseToEachOtherInOneQuestion) {
  const PositionSet wanted = set_of({1, 2, 5, 100, 103});
  EXPECT_EQ(catchup_questions(wanted, 2), (std::vector<PositionRange>{{1, 5}, {100, 103}}));
  EXPECT_EQ(catchup_questions(wanted, 0), (std::vector<PositionRange>{{1, 2}, {5, 5}, {100, 100}, {103, 103}}));
}

TEST(CatchupPlan, APageSaysWhereToGoOnAndWhatIsNotThere) {
  std::vector<JournalRecord> page;
  for (const Position at : {2, 3, 5, 6}) page.push_back(frame(at));
  auto answer = judge_catchup_page(std::move(page), {1, 10}, set_of({1, 3, 4, 5, 9}), {});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->through, 6u);
  ASSERT_EQ(answer->records.size(), 2u);
  EXPECT_EQ(answer->records[0].first, 3u);
  EXPECT_EQ(answer->records[1].first, 5u);
  EXPECT_EQ(positions_of(answer->absent), (Positions{1, 4}));
}

TEST(CatchupPlan, AnEmptyPageEndsTheQuestion) {
  const auto answer = judge_catchup_page({}, {5, 9}, set_of({4, 5, 9, 10}), {});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->through, 9u);
  EXPECT_EQ(positions_of(answer->absent), (Positions{5, 9}));
}

TEST(CatchupPlan, AVoidIsNoAnswerWhereOneIsHeld) {
  std::vector<JournalRecord> page;
  page.push_back(gap(1, 4));
  page.push_back(gap(5, 8));
  const auto answer = judge_catchup_page(std::move(page), {1, 8}, set_of({2, 3, 6}), set_of({2, 3}));
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->records.size(), 1u);
  EXPECT_EQ(answer->records[0].first, 5u);
  EXPECT_EQ(positions_of(answer->absent), (Positions{2, 3}));
}

TEST(CatchupPlan, RecordsThatDoNotAnswerTheQuestionAreRefused) {
  const auto judge = [](std::vector<JournalRecord> page) {
    return judge_catchup_page(std::move(page), {5, 9}, set_of({5, 6, 7, 8, 9}), {}).has_value();
  };
  EXPECT_FALSE(judge({frame(4)}));
  EXPECT_FALSE(judge({frame(10)}));
  EXPECT_FALSE(judge({gap(8, 12)}));
  EXPECT_FALSE(judge({frame(6), frame(6)}));
  EXPECT_FALSE(judge({frame(7), frame(6)}));
  EXPECT_FALSE(judge({gap(8, 7)}));
  EXPECT_TRUE(judge({frame(5), gap(6, 9)}));
}

/// A store as plain sets, and what it says of itself.
struct Model {
  Positions frames;
  Positions voids;
  Position floor = 0;

  JournalState said() const {
    Positions all = frames;
    all.insert(voids.begin(), voids.end());
    return state(set_of(all).ranges(), set_of(voids).ranges(), floor);
  }
  bool has(Position at) const { return frames.contains(at) || voids.contains(at); }
  std::vector<JournalRecord> page(PositionRange asked, std::size_t records_max) const {
    std::vector<JournalRecord> page;
    for (Position at = asked.first; at <= asked.last && page.size() < records_max; ++at) {
      if (frames.contains(at)) page.push_back(frame(at));
      if (!frames.contains(at) && voids.contains(at)) page.push_back(gap(at, at));
    }
    return page;
  }
  void adopt(const JournalRecord& record) {
    for (Position at = record.first; at <= record.last; ++at) {
      if (!record.is_void()) {
        voids.erase(at);
        frames.insert(at);
      } else if (!has(at) && at > floor) {
        voids.insert(at);
      }
    }
  }
};

Model draw(std::mt19937_64& random) {
  Model model;
  const Position end = random() % 80;
  const auto density = random() % 4;
  if (random() % 4 == 0) model.floor = random() % 30;
  for (Position at = model.floor + 1; at <= end; ++at) {
    if (random() % 4 > density) continue;
    (random() % 3 == 0 ? model.voids : model.frames).insert(at);
  }
  return model;
}

void catch_up(Model& here, const Model& there, std::mt19937_64& random) {
  const JournalState before = here.said();
  const CatchupWants wants = catchup_wants(before, there.said());
  const PositionSet wanted = united(united(wants.holes, wants.end), wants.voids);
  for (PositionRange question : catchup_questions(wanted, random() % 5)) {
    while (question.first <= question.last) {
      auto answer = judge_catchup_page(there.page(question, 1 + random() % 5), question, wanted, set_of(here.voids));
      ASSERT_TRUE(answer.has_value()) << answer.error().message;
      ASSERT_TRUE(answer->absent.empty());
      ASSERT_GE(answer->through, question.first);
      for (const JournalRecord& record : answer->records) here.adopt(record);
      question.first = answer->through + 1;
    }
  }
}

TEST(CatchupPlan, AnyTwoStoresBecomeTheSameSet) {
  const char* given = std::getenv("LEGION_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "LEGION_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  for (int run = 0; run < 2000; ++run) {
    Model a = draw(random), b = draw(random);
    const Position floor = std::max(a.floor, b.floor);
    Positions frames = a.frames, all = a.voids;
    frames.insert(b.frames.begin(), b.frames.end());
    all.insert(b.voids.begin(), b.voids.end());
    all.insert(frames.begin(), frames.end());
    catch_up(a, b, random);
    catch_up(b, a, random);
    for (Position at = floor + 1; at <= 80; ++at) {
      for (const Model* model : {&a, &b}) {
        ASSERT_EQ(model->frames.contains(at), frames.contains(at)) << at;
        ASSERT_EQ(model->has(at), all.contains(at)) << at;
      }
    }
    ASSERT_TRUE(catchup_wants(a.said(), b.said()).empty() && catchup_wants(b.said(), a.said()).empty());
    for (const Model* model : {&a, &b}) {  // nothing below the floor comes back
      for (const Position at : model->frames) ASSERT_TRUE(at > model->floor) << at;
    }
  }
}

TEST(CatchupPlan, SetAlgebraIsThatOfSets) {
  std::mt19937_64 random(7);
  for (int run = 0; run < 500; ++run) {
    Positions a, b;
    for (int i = 0; i < 20; ++i) {
      a.insert(1 + random() % 40);
      b.insert(1 + random() % 40);
    }
    Positions both = a, rest;
    both.insert(b.begin(), b.end());
    std::ranges::set_difference(a, b, std::inserter(rest, rest.end()));
    EXPECT_EQ(positions_of(united(set_of(a), set_of(b))), both);
    EXPECT_EQ(positions_of(without(set_of(a), set_of(b))), rest);
    EXPECT_EQ(count(set_of(a)), a.size());
  }
}

}  // namespace
}  // namespace legion
