#include <gtest/gtest.h>

#include <legion/cli/moments.hpp>
#include <legion/cli/replay_pace.hpp>

namespace legion::cli {
namespace {

constexpr WallTime now{1'762'795'433'000'000'000};

TEST(Moments, AreDurationsAgoOrTimesOrNow) {
  EXPECT_EQ(parse_moment("--since", "now", now), now);
  EXPECT_EQ(parse_moment("--since", "1h30m", now), now + -Duration(90min));
  EXPECT_EQ(parse_moment("--since", "2025-11-10T17:23:53Z", now), now);
  EXPECT_EQ(parse_moment("--since", "2025-11-10T18:23:53+01:00", now), now);
  for (const auto* text : {"", "soon", "5", "-5m", "2025-11-10", "5m ago"}) {
    const auto moment = parse_moment("--since", text, now);
    ASSERT_FALSE(moment) << text;
    EXPECT_EQ(moment.error().code, ErrorCode::InvalidArgument);
    EXPECT_TRUE(moment.error().message.starts_with("--since: ")) << moment.error().message;
  }
}

TEST(Moments, LongAgoIsNotBeforeTheBeginning) {
  EXPECT_EQ(parse_moment("--since", "99999d", WallTime{5})->ns, 0);
}

TEST(Moments, DifferencesDoNotOverflow) {
  EXPECT_EQ(between({INT64_MIN}, {INT64_MAX}), Duration::max());
  EXPECT_EQ(between({INT64_MAX}, {INT64_MIN}), Duration::min());
  EXPECT_EQ(between({5}, {7}), 2ns);
}

TEST(Moments, AgesAreAsFineAsAnybodyReadsThem) {
  EXPECT_EQ(age_text({0}, now), "-");
  EXPECT_EQ(age_text(now + -Duration(3456ms), now), "3.4s");
  EXPECT_EQ(age_text(now + -Duration(125s), now), "2m5s");
  EXPECT_EQ(age_text(now + 5s, now), "0s");
}

TEST(Moments, MarksHaveNamesThatFitEveryShell) {
  EXPECT_TRUE(check_mark_name("--mark", "before-the.fix_2"));
  for (const auto& name : {std::string(), std::string("a b"), std::string("ä"), std::string(65, 'x')}) {
    EXPECT_FALSE(check_mark_name("--mark", name)) << name;
  }
}

TEST(ReplayPace, EventsThatAreOlderThanTheOneBeforeAreDueWithIt) {
  ReplayPace pace(1.0, std::nullopt);
  const SteadyTime begin{1000};
  EXPECT_EQ(pace.due({100}, begin), begin);
  EXPECT_EQ(pace.due({400}, begin), begin + 300ns);
  EXPECT_EQ(pace.due({200}, begin), begin + 300ns);
  EXPECT_EQ(pace.due({INT64_MAX}, begin) > begin, true);
}

}  // namespace
}  // namespace legion::cli
