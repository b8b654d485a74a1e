#include <legion/core/last_words.hpp>

#include <gtest/gtest.h>

namespace legion {
namespace {

const Origin gone{"beta", 7};

TEST(LastWords, AnUnknownOriginSaidNothing) {
  const LastWords words;
  EXPECT_TRUE(words.tails(gone, Priority::High).empty());
}

TEST(LastWords, TheHigherTailOfAStreamHolds) {
  LastWords words;
  words.add(gone, Priority::Normal, {{"test.tick", 0, 40}, {"test.tock", 0, 9}});
  words.add(gone, Priority::Normal, {{"test.tick", 0, 30}, {"test.tock", 0, 10}, {"test.tick", 1, 2}});
  EXPECT_EQ(words.tails(gone, Priority::Normal),
            (std::vector<Tail>{{"test.tick", 0, 40}, {"test.tock", 0, 10}, {"test.tick", 1, 2}}));
  EXPECT_TRUE(words.tails(gone, Priority::Low).empty());
  EXPECT_TRUE(words.tails({"beta", 8}, Priority::Normal).empty());
}

TEST(LastWords, WhatWasToldFirstGoesFirst) {
  LastWords words(3);
  words.add(gone, Priority::Normal, {{"a", 0, 2}, {"b", 0, 2}});
  words.add({"gamma", 1}, Priority::Normal, {{"a", 0, 5}});
  EXPECT_EQ(words.tails(gone, Priority::Normal).size(), 2u);
  words.add({"delta", 1}, Priority::High, {{"a", 0, 6}});
  EXPECT_TRUE(words.tails(gone, Priority::Normal).empty());
  EXPECT_EQ(words.tails({"gamma", 1}, Priority::Normal).size(), 1u);
  EXPECT_EQ(words.tails({"delta", 1}, Priority::High).size(), 1u);
}

}  // namespace
}  // namespace legion
