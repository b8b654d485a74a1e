#include <gtest/gtest.h>

#include <ios>
#include <sstream>
#include <system_error>

#include <legion/cli/line_reader.hpp>

namespace legion::cli {
namespace {

TEST(LineReader, NumbersLinesAndTakesALastOneWithoutANewline) {
  std::istringstream in("a\r\n\nlast");
  LineReader reader(in, 100);
  EXPECT_EQ(reader.next()->text, "a");
  EXPECT_EQ(reader.next()->text, "");
  const auto last = reader.next();
  EXPECT_EQ(last->text, "last");
  EXPECT_EQ(last->number, 3u);
  EXPECT_FALSE(reader.next());
}

TEST(LineReader, MarksALineThatIsTooLongAndGoesOnBehindIt) {
  std::istringstream in("0123456789\nshort\n");
  LineReader reader(in, 5);
  EXPECT_TRUE(reader.next()->too_long);
  const auto next = reader.next();
  EXPECT_EQ(next->text, "short");
  EXPECT_FALSE(next->too_long);
  EXPECT_EQ(next->number, 2u);
}

TEST(LineReader, SaysWhyReadingFailedAndDropsThePartOfALine) {
  struct Failing : std::streambuf {
    std::string text = "whole\npart";
    Failing() { setg(text.data(), text.data(), text.data() + text.size()); }
    int_type underflow() override { throw std::ios_base::failure("", std::make_error_code(std::errc::io_error)); }
  } buffer;
  std::istream in(&buffer);
  LineReader reader(in, 100);
  EXPECT_EQ(reader.next()->text, "whole");
  EXPECT_FALSE(reader.error());
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.error(), std::errc::io_error);
}

}  // namespace
}  // namespace legion::cli
