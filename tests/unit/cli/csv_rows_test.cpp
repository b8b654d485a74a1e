#include <gtest/gtest.h>

#include <sstream>

#include <legion/cli/csv_rows.hpp>

namespace legion::cli {
namespace {

std::string printed(CsvRows& csv, const char* rows) {
  std::ostringstream out;
  csv.print(out, JsonTree::parse(rows));
  return out.str();
}

TEST(CsvRows, KeepsValuesAndFlattensWhatIsInside) {
  CsvRows csv({});
  EXPECT_EQ(printed(csv, R"([{"n":18446744073709551615,"r":0.25,"up":true,"none":null,"lost":{"link":5,"died":{"x":1}},
                              "roles":["feed","risk"],"agents":[{"agent":"a","state":"up"},{"agent":"b","state":"down"}],
                              "text":"a,\"b\"\u001b"}])"),
            "n,r,up,none,lost_link,lost_died_x,roles,agents,text\n"
            "18446744073709551615,0.25,true,,5,1,feed;risk,a=up;b=down,\"a,\"\"b\"\"?\"\n");
}

TEST(CsvRows, EveryLineHasTheSameColumns) {
  CsvRows csv({"name", "lost_link", "lost_shutdown"});
  EXPECT_EQ(printed(csv, R"([{"lost":{"link":1},"name":"a"},{"name":"b","lost":{},"new":7},{"name":"c","lost":null}])"),
            "name,lost_link,lost_shutdown,new\n"
            "a,1,,\n"
            "b,,,7\n"
            "c,,,\n");
}

TEST(CsvRows, TitlesAndColumnsStayThoseOfTheFirstPrint) {
  CsvRows csv({"a"});
  EXPECT_EQ(printed(csv, "[]"), "a\n");
  EXPECT_EQ(printed(csv, R"([{"b":2,"a":1}])"), "1\n");
}

}  // namespace
}  // namespace legion::cli
