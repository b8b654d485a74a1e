#include <gtest/gtest.h>

#include <sstream>

#include <legion/cli/table.hpp>

namespace legion::cli {
namespace {

Table sample() {
  Table table({{"NAME"}, {"ROLES", Align::Left, 2}, {"LOST", Align::Right, 1}, {"ADDRESS"}});
  table.row({{"alpha"}, {"feed,risk"}, {"12"}, {"10.0.0.1:7400"}});
  table.row({{"b"}, {"-"}, {"3"}, {"x\033y"}});
  return table;
}

TEST(Table, AlignsColumnsWithoutTrailingBlanks) {
  std::ostringstream out;
  EXPECT_TRUE(sample().print(out, Paint(Paint::Mode::Off), 0).empty());
  EXPECT_EQ(out.str(),
            "NAME   ROLES      LOST  ADDRESS\n"
            "alpha  feed,risk    12  10.0.0.1:7400\n"
            "b      -             3  x?y\n");
}

TEST(Table, LeavesOutTheLeastImportantColumnsWhenItIsTooWide) {
  std::ostringstream out;
  const auto hidden = sample().print(out, Paint(Paint::Mode::Off), 30);
  EXPECT_THAT(hidden, testing::ElementsAre("ROLES"));
  EXPECT_EQ(out.str(),
            "NAME   LOST  ADDRESS\n"
            "alpha    12  10.0.0.1:7400\n"
            "b         3  x?y\n");
}

TEST(Table, PrintsCsv) {
  std::ostringstream out;
  sample().print_csv(out);
  EXPECT_EQ(out.str(), "name,roles,lost,address\nalpha,\"feed,risk\",12,10.0.0.1:7400\nb,-,3,x?y\n");
}

}  // namespace
}  // namespace legion::cli
