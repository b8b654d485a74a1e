#include <gtest/gtest.h>

#include <string>

#include <legion/runtime/tails_params.hpp>

namespace legion {
namespace {

LaneTails some_tails(std::size_t streams, const std::string& type) {
  LaneTails tails;
  for (std::size_t i = 0; i < streams; ++i) tails[i % tails.size()].push_back({type + std::to_string(i), 0, i + 2});
  return tails;
}

TEST(TailsAnswer, SurvivesTheWire) {
  TailsAnswer answer;
  EXPECT_TRUE(answer.add(some_tails(9, "a")));
  EXPECT_TRUE(answer.add({}));
  EXPECT_TRUE(answer.add(some_tails(1, "b")));
  const auto decoded = decode_tails_answer(answer.take());
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, (std::vector{some_tails(9, "a"), LaneTails{}, some_tails(1, "b")}));
}

TEST(TailsAnswer, WhatDoesNotFitIsLeftForAnotherQuestion) {
  const std::string type(100, 'x');
  TailsAnswer answer;
  EXPECT_TRUE(answer.add(some_tails(6000, type)));
  EXPECT_FALSE(answer.add(some_tails(6000, type)));
  const Bytes bytes = answer.take();
  EXPECT_LE(bytes.size() + 64, limits::message_bytes_max);
  EXPECT_EQ(decode_tails_answer(bytes)->size(), 1U);
}

TEST(TailsAnswer, TheFirstOriginIsThereInAnyCaseEvenCut) {
  TailsAnswer answer;
  EXPECT_TRUE(answer.add(some_tails(50'000, std::string(100, 'x'))));
  const Bytes bytes = answer.take();
  EXPECT_LE(bytes.size() + 64, limits::message_bytes_max);
  const auto decoded = decode_tails_answer(bytes);
  ASSERT_TRUE(decoded && decoded->size() == 1);
  EXPECT_GT((*decoded)[0][0].size(), 1000U);
}

TEST(TailsAnswer, NonsenseIsRefused) {
  const Bytes whole = [] {
    TailsAnswer answer;
    answer.add(some_tails(8, "a"));
    return answer.take();
  }();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(decode_tails_answer(BytesView(whole).first(length))) << length;
  }
  EXPECT_FALSE(decode_tails_answer(Bytes{0xdd, 0xff, 0xff, 0xff, 0xff}));
}

}  // namespace
}  // namespace legion
