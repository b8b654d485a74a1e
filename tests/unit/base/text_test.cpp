#include <legion/base/base64.hpp>
#include <legion/base/text.hpp>

#include <array>

#include <gtest/gtest.h>

namespace legion {
namespace {

using namespace std::string_view_literals;

TEST(Base64, FollowsTheVectorsOfRfc4648) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> vectors{{{"", ""},
                                                                                  {"f", "Zg=="},
                                                                                  {"fo", "Zm8="},
                                                                                  {"foo", "Zm9v"},
                                                                                  {"foob", "Zm9vYg=="},
                                                                                  {"fooba", "Zm9vYmE="},
                                                                                  {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(as_bytes_view(plain)), encoded);
    const auto decoded = base64_decode(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(as_text(*decoded), plain);
  }
}

TEST(Base64, EveryByteSurvives) {
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  EXPECT_EQ(base64_decode(base64_encode(all)), all);
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const auto bad :
       {"Zg="sv, "Zg"sv, "Z==="sv, "===="sv, "Zh=="sv, "Zm9="sv, "Zm 9"sv, "Zm9v\n"sv, "Zm-_"sv, "Zg==Zg=="sv}) {
    EXPECT_FALSE(base64_decode(bad)) << bad;
  }
}

TEST(Utf8, AcceptsWhatIsWellFormed) {
  for (const auto good :
       {""sv, "plain"sv, "\x00"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv, "\xee\x80\x80"sv,
        "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv, "a\xc3\xa9z"sv}) {
    EXPECT_TRUE(is_utf8(good)) << base64_encode(as_bytes_view(good));
  }
}

TEST(Utf8, RefusesWhatIsNot) {
  for (const auto bad : {"\x80"sv, "\xbf"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2\x41"sv, "\xe0\x9f\xbf"sv,
                         "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xe1\x80"sv, "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv,
                         "\xf5\x80\x80\x80"sv, "\xf1\x80\x80"sv, "\xff"sv, "ok\xfe"sv}) {
    EXPECT_FALSE(is_utf8(bad)) << base64_encode(as_bytes_view(bad));
  }
}

TEST(EditDistance, CountsTheFourKindsOfSlips) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("interval", "interval"), 0u);
  EXPECT_EQ(edit_distance("interval", "intervall"), 1u);
  EXPECT_EQ(edit_distance("interval", "interva"), 1u);
  EXPECT_EQ(edit_distance("interval", "intervol"), 1u);
  EXPECT_EQ(edit_distance("interval", "itnerval"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(DidYouMean, FindsTheNearestKey) {
  constexpr std::array keys{"interval"sv, "suspect_after"sv, "dead_after"sv};
  EXPECT_EQ(did_you_mean("intervall", keys), "interval");
  EXPECT_EQ(did_you_mean("INTERVAL", keys), "interval");
  EXPECT_EQ(did_you_mean("dead_aftr", keys), "dead_after");
}

TEST(DidYouMean, SaysNothingWhenNothingIsNear) {
  constexpr std::array keys{"interval"sv, "dead_after"sv};
  EXPECT_EQ(did_you_mean("workers", keys), std::nullopt);
  EXPECT_EQ(did_you_mean("x", keys), std::nullopt);
  EXPECT_EQ(did_you_mean("interval", {}), std::nullopt);
}

}  // namespace
}  // namespace legion
