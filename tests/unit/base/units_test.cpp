#include <legion/base/units.hpp>

#include <limits>

#include <gtest/gtest.h>

#include <legion/base/rng.hpp>

namespace legion {
namespace {

TEST(ParseDuration, UnderstandsEveryUnitAndTheirRuns) {
  EXPECT_EQ(parse_duration("0"), Duration::zero());
  EXPECT_EQ(parse_duration("7ns"), 7ns);
  EXPECT_EQ(parse_duration("3us"), 3us);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  EXPECT_EQ(parse_duration("1d3h5m2s"), 27h + 5min + 2s);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("1.000000001s"), 1'000'000'001ns);
  EXPECT_EQ(parse_duration("0.5d"), 12h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration("9223372036854775807ns"), Duration::max());
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* bad : {"",
                          "5",
                          "s",
                          "-5s",
                          "+5s",
                          "5 s",
                          " 5s",
                          "5s ",
                          "5x",
                          "5S",
                          "1s2m",
                          "1s1s",
                          "1.s",
                          ".5s",
                          "1.5ns",
                          "1e3s",
                          "1,5s",
                          "9223372036854775808ns",
                          "106752d",
                          "99999999999999999999s",
                          "0.0000000000000001s"}) {
    const auto parsed = parse_duration(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(parsed.error().message.find("250ms"), std::string::npos);
  }
}

TEST(FormatDuration, IsTheShortestExactForm) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(250ms), "250ms");
  EXPECT_EQ(format_duration(1500ms), "1.5s");
  EXPECT_EQ(format_duration(2h + 5min), "2h5m");
  EXPECT_EQ(format_duration(60s), "1m");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(168h), "7d");
  EXPECT_EQ(format_duration(1ns), "1ns");
  EXPECT_EQ(format_duration(1'234'567ns), "1234567ns");
  EXPECT_EQ(format_duration(1'230us), "1.23ms");
  EXPECT_EQ(format_duration(-250ms), "-250ms");
}

TEST(FormatDuration, IsReadBackExactly) {
  Rng rng(5);
  for (int i = 0; i < 2'000; ++i) {
    const Duration value{static_cast<std::int64_t>(rng.next() >> (1 + rng.below(63)))};
    EXPECT_EQ(parse_duration(format_duration(value)), value) << value.count();
  }
  EXPECT_EQ(parse_duration(format_duration(Duration::max())), Duration::max());
  EXPECT_EQ(format_duration(Duration::min()).front(), '-');
}

TEST(ParseSize, UnderstandsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("512B"), 512u);
  EXPECT_EQ(parse_size("64MiB"), 64u << 20);
  EXPECT_EQ(parse_size("1KiB"), 1024u);
  EXPECT_EQ(parse_size("1kB"), 1000u);
  EXPECT_EQ(parse_size("3GB"), 3'000'000'000u);
  EXPECT_EQ(parse_size("2TiB"), std::uint64_t{2} << 40);
  EXPECT_EQ(parse_size("18446744073709551615B"), std::numeric_limits<std::uint64_t>::max());
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const char* bad : {"", "5", "B", "-1B", "1.5MiB", "5 MiB", "5mib", "5KB", "5MiBx", "16777216TiB", "1MiB5B"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(FormatSize, IsReadBackExactly) {
  EXPECT_EQ(format_size(0), "0B");
  EXPECT_EQ(format_size(64u << 20), "64MiB");
  EXPECT_EQ(format_size(1536), "1536B");
  EXPECT_EQ(format_size(5'000'000), "5MB");
  Rng rng(6);
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t value = rng.next() >> rng.below(64);
    EXPECT_EQ(parse_size(format_size(value)), value);
  }
}

TEST(FormatTime, WritesAsManyDigitsAsNeeded) {
  EXPECT_EQ(format_time({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time({1'762'795'433'971'744'500}), "2025-11-10T17:23:53.971744500Z");
  EXPECT_EQ(format_time({1'762'795'433'250'000'000}), "2025-11-10T17:23:53.250Z");
  EXPECT_EQ(format_time({1'762'795'433'000'001'000}), "2025-11-10T17:23:53.000001Z");
  EXPECT_EQ(format_time({-1}), "1969-12-31T23:59:59.999999999Z");
}

TEST(ParseTime, UnderstandsOffsetsAndFractions) {
  EXPECT_EQ(parse_time("2025-11-10T17:23:53.971744500Z"), WallTime{1'762'795'433'971'744'500});
  EXPECT_EQ(parse_time("2025-11-10T18:23:53.25+01:00"), WallTime{1'762'795'433'250'000'000});
  EXPECT_EQ(parse_time("2025-11-10t11:53:53-05:30"), WallTime{1'762'795'433'000'000'000});
  EXPECT_EQ(parse_time("2024-02-29T00:00:00Z"), WallTime{1'709'164'800'000'000'000});
  EXPECT_EQ(parse_time("2016-12-31T23:59:60Z"), *parse_time("2017-01-01T00:00:00Z"));
  EXPECT_EQ(parse_time("1970-01-01T00:00:00.1234567899Z"), WallTime{123'456'789});
}

TEST(ParseTime, RefusesEverythingElse) {
  for (const char* bad :
       {"", "2025-11-10", "2025-11-10T17:23:53", "2025-11-10T17:23Z", "2025-13-10T17:23:53Z", "2025-02-29T00:00:00Z",
        "2025-11-10T24:00:00Z", "2025-11-10T17:60:00Z", "2025-11-10T17:23:61Z", "2025-11-10T17:23:53.Z",
        "2025-11-10T17:23:53+0100", "2025-11-10T17:23:53Z ", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
        "25-11-10T17:23:53Z", "2025-11-10T17:23:53+24:00"}) {
    EXPECT_FALSE(parse_time(bad)) << bad;
  }
}

TEST(FormatTime, IsReadBackExactly) {
  Rng rng(7);
  for (int i = 0; i < 2'000; ++i) {
    const WallTime time{static_cast<std::int64_t>(rng.next() >> rng.below(64)) / 2};
    EXPECT_EQ(parse_time(format_time(time)), time) << time.ns;
  }
}

}  // namespace
}  // namespace legion
