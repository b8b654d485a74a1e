#include <gtest/gtest.h>

#include <legion/cli/flags.hpp>

namespace legion::cli {
namespace {

using testing::ElementsAre;

TEST(Priorities, AreNamesListsAndNamesWithAPlus) {
  EXPECT_THAT(parse_priorities("critical").value(), ElementsAre(Priority::Critical));
  EXPECT_THAT(parse_priorities("high+").value(), ElementsAre(Priority::Critical, Priority::High));
  EXPECT_THAT(parse_priorities("normal,high").value(), ElementsAre(Priority::High, Priority::Normal));
  EXPECT_THAT(parse_priorities("low,high+").value(), ElementsAre(Priority::Critical, Priority::High, Priority::Low));
  EXPECT_EQ(parse_priorities("low+").value().size(), 4u);
}

TEST(Priorities, RefuseWhatIsNone) {
  for (const auto* text : {"", "urgent", "high,", "+", "high-"}) EXPECT_FALSE(parse_priorities(text)) << text;
}

}  // namespace
}  // namespace legion::cli
