#include <gtest/gtest.h>

#include <legion/cli/printable.hpp>

namespace legion::cli {
namespace {

TEST(Printable, ReplacesWhatWouldMoveTheCursor) {
  EXPECT_EQ(printable("a\033[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(printable("a\xc2\x9b" "31mb"), "a?31mb");  // CSI as one C1 character
}

TEST(Printable, KeepsUtf8AndReplacesBytesThatAreNone) {
  EXPECT_EQ(printable("größe €"), "größe €");
  EXPECT_EQ(printable("a\xff\xc3"), "a??");
  EXPECT_EQ(printable("\xe2\x82"), "??");
}

TEST(Shortened, CutsAtCharactersAndShowsIt) {
  EXPECT_EQ(shortened("äöü", 3), "äöü");
  EXPECT_EQ(shortened("äöüß", 3), "äö…");
  EXPECT_EQ(shortened("abc", 0), "");
}

TEST(CsvField, QuotesWhatNeedsIt) {
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
}

}  // namespace
}  // namespace legion::cli
