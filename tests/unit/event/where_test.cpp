// Conditions: what each form means, and what a mistake in one is called.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/event/json.hpp>
#include <legion/event/where.hpp>

#include "samples.hpp"

namespace legion {
namespace {

using namespace samples;

/// An event of this data, given as JSON, that went through a frame.
class Subject {
 public:
  explicit Subject(const std::string& json, const std::function<void(Event&)>& change = {}) {
    Event event = plain_event();
    event.data = data_from_json(json).value();
    if (change) change(event);
    FrameBuilder builder;
    builder.begin(node_1, event.priority, event.type, 0, 1);
    builder.append(encode_event(event, 0, limits::event_bytes_max).value().bytes);
    frame_ = Frame::decode(builder.finish()).value();
  }
  const EventView& event() const { return frame_->events().front(); }

 private:
  FramePtr frame_;
};

bool holds(const std::string& condition, const Subject& subject) {
  const auto where = Where::parse(condition);
  EXPECT_TRUE(where.has_value()) << condition << ": " << (where ? "" : where.error().message);
  return where && where->matches(subject.event());
}

/// Every condition has to hold, and its opposite must not.
void expect_all(const Subject& subject, const std::vector<std::string>& conditions) {
  for (const std::string& condition : conditions) {
    EXPECT_TRUE(holds(condition, subject)) << condition;
    EXPECT_FALSE(holds("not (" + condition + ")", subject)) << condition;
  }
}
void expect_none(const Subject& subject, const std::vector<std::string>& conditions) {
  for (const std::string& condition : conditions) {
    EXPECT_FALSE(holds(condition, subject)) << condition;
    EXPECT_TRUE(holds("not (" + condition + ")", subject)) << condition;
  }
}

std::string mistake(const std::string& condition) {
  const auto where = Where::parse(condition);
  return where ? "none" : where.error().message;
}

TEST(Where, ComparesNumbersByTheirValueWhateverTheirForm) {
  const Subject subject(R"({"a":5,"b":-3,"c":2.5,"big":18446744073709551615,"low":-9223372036854775808,"five":5.0})");
  expect_all(subject, {"data.a == 5",
                       "data.a == 5.0",
                       "data.five == 5",
                       "data.a >= 5",
                       "data.a <= 5",
                       "data.a < 5.1",
                       "data.a > 4.9",
                       "data.b < 0",
                       "data.b == -3",
                       "data.b >= -3.0",
                       "data.c == 2.5",
                       "data.c != 2",
                       "data.big == 18446744073709551615",
                       "data.big > 9223372036854775807",
                       "data.big < 1e30",
                       "data.low == -9223372036854775808",
                       "data.low < data.a",
                       "data.a == data.five",
                       "5 == data.a",
                       "10 > data.a",
                       "data.a == 5e0"});
  expect_none(subject, {"data.a == 6", "data.a != 5", "data.a > 5", "data.b > 0", "data.big < data.low",
                        "data.big == 18446744073709551614", "data.c == 2"});
}

TEST(Where, ComparesNumbersExactlyWhereADoubleWouldNot) {
  const Subject subject(R"({"n":9007199254740993,"d":9007199254740992.0,"m":-9007199254740993})");
  expect_all(subject,
             {"data.n > 9007199254740992.0", "data.n != data.d", "data.n > data.d", "data.m < -9007199254740992.0"});
  expect_none(subject, {"data.n == data.d", "data.n <= data.d"});
}

TEST(Where, ComparesTextsByTheirBytes) {
  const Subject subject(R"({"s":"BTC-USDT","e":"","u":"é"})");
  expect_all(subject, {"data.s == 'BTC-USDT'", "data.s == \"BTC-USDT\"", "data.s > 'BTC'", "data.s < 'ETH'",
                       "data.s prefix 'BTC'", "data.s suffix 'USDT'", "data.s contains 'C-U'", "data.s contains ''",
                       "data.s matches 'BTC-*'", "data.s matches 'B?C-?S?T'", "data.s matches '*'", "data.e == ''",
                       "data.e matches ''", "data.u matches '?'", "data.u == 'é'", "data.s in ('ETH', 'BTC-USDT')",
                       "data.s not in ('ETH', 'XRP')", "data.s matches '*-*D*'"});
  expect_none(subject, {"data.s == 'btc-usdt'", "data.s prefix 'USDT'", "data.s suffix 'BTC'", "data.s contains 'X'",
                        "data.s matches 'BTC'", "data.s matches '?'", "data.e matches '?'",
                        "data.s not in ('BTC-USDT')", "data.s matches '*X'"});
}

TEST(Where, AMissingFieldMakesEveryComparisonFalse) {
  const Subject subject(R"({"a":1})");
  expect_none(subject,
              {"data.x == 1", "data.x != 1", "data.x < 1", "data.x > 1", "data.x in (1, 2)", "data.x not in (1, 2)",
               "data.x prefix ''", "data.x is null", "data.x is not null", "exists(data.x)", "data.a.b == 1",
               "data.a[0] == 1", "data[0] == 1", "data.x == data.y", "data.x != data.a", "key == 'k'", "key != 'k'",
               "exists(expires_at)", "expires_at > '2020-01-01T00:00:00Z'"});
  expect_all(subject, {"exists(data.a)", "exists(data)", "exists(type)"});
}

TEST(Where, ADifferentTypeMakesEveryComparisonFalse) {
  const Subject subject(R"({"n":1,"s":"1","b":true,"z":null,"l":[1],"m":{"a":1},"x":{"$bin":"MQ=="}})");
  expect_none(subject, {"data.n == '1'",        "data.n != '1'",       "data.s == 1",       "data.s != 1",
                        "data.s < 2",           "data.b == 1",         "data.b != 'true'",  "data.z == false",
                        "data.l == 1",          "data.l != 1",         "data.m == data.m",  "data.l != data.m",
                        "data.x == '1'",        "data.x != '1'",       "data.n prefix '1'", "data.n matches '*'",
                        "data.n in ('1', '2')", "data.n not in ('a')", "data.s == data.n",  "data.s != data.n",
                        "data.b < data.b",      "data.b >= data.b",    "data.z <= data.z"});
  expect_all(subject,
             {"data.b == true", "data.b != false", "data.z is null", "data.n is not null", "data.l is not null",
              "exists(data.z)", "data.z == data.z", "data.b == data.b", "data.b in (true)"});
}

TEST(Where, NaNIsLikeNothing) {
  const Subject subject(R"({"n":{"$float":"nan"},"i":{"$float":"inf"},"j":{"$float":"-inf"}})");
  expect_none(subject,
              {"data.n == data.n", "data.n != 1", "data.n < 1", "data.n >= 1", "data.n in (1)", "data.n not in (1)"});
  expect_all(subject,
             {"data.i > 1e308", "data.i > 18446744073709551615", "data.j < -9223372036854775808", "exists(data.n)"});
}

TEST(Where, WalksIntoMapsAndLists) {
  const Subject subject(R"({"legs":[{"price":1.5},{"price":2.5,"odd name":{"":7}}],"in":{"not":[[1,2],[3]]},"é":1})");
  expect_all(subject, {"data.legs[0].price == 1.5", "data.legs[1].price > data.legs[0].price",
                       "data.legs[1]['odd name'][''] == 7", "data.in.not[1][0] == 3", "data['é'] == 1",
                       "data['legs'][0]['price'] < 2"});
  expect_none(subject, {"data.legs[2].price == 1.5", "data.legs.price == 1.5", "exists(data.legs[2])",
                        "exists(data.in.not[1][1])"});
}

TEST(Where, LooksAtAttributes) {
  const Subject subject("{}", [](Event& event) {
    event.key = "BTC";
    event.correlation_id = "c1";
    event.schema_version = 3;
    event.expires_at = WallTime{event.time.ns + 1};
    event.foreign_id = "f1";
    event.extensions = {{"shop", "north"}, {"odd name", "x"}};
  });
  expect_all(subject, {"type == 'trade.approved'",
                       "type prefix 'trade.'",
                       "source == 'node-1/risk'",
                       "node == 'node-1'",
                       "agent == 'risk'",
                       "origin == 'node-1'",
                       "key == 'BTC'",
                       "correlation_id == 'c1'",
                       "schema_version >= 3",
                       "priority == 'critical'",
                       "priority >= 'high'",
                       "priority > 'low'",
                       "priority in ('critical', 'high')",
                       "priority not in ('low')",
                       "expires_at > time",
                       "time > '2020-01-01T00:00:00Z'",
                       "foreign_id == 'f1'",
                       "ext.shop == 'north'",
                       "ext['odd name'] == 'x'",
                       "exists(ext.shop)",
                       "type == data.t or key == 'BTC'"});
  expect_none(subject, {"causation_id == 'c1'", "exists(original_id)", "ext.other == 'x'", "exists(ext.other)",
                        "priority == 'low'", "priority < 'critical'", "traceparent != ''", "schema_version < 3"});
}

TEST(Where, AnEventThatIsNotEncodedHasItsExtensionsBesideIt) {
  const Where where = Where::parse("ext.shop == 'north' and data.price > 1").value();
  const Bytes data = price_data();
  EventView view;
  view.data = data;
  const std::vector<std::pair<std::string, std::string>> extensions{{"shop", "north"}};
  EXPECT_TRUE(where.matches(view, extensions));
  EXPECT_FALSE(where.matches(view));
}

TEST(Where, NothingHoldsForAnEventThatDoesNotDecode) {
  EventView broken;
  broken.defect = "broken";
  EXPECT_FALSE(Where::parse("not exists(data.x)").value().matches(broken));
}

TEST(Where, AndBindsTighterThanOrAndNotTighterThanBoth) {
  const Subject subject(R"({"t":true,"f":false})");
  const std::string t = "data.t == true";
  const std::string f = "data.f == true";
  EXPECT_TRUE(holds(t + " or " + f + " and " + f, subject));
  EXPECT_FALSE(holds("(" + t + " or " + f + ") and " + f, subject));
  EXPECT_FALSE(holds("not " + t + " or " + f, subject));
  EXPECT_TRUE(holds("not " + f + " and " + t, subject));
  EXPECT_TRUE(holds("not not " + t, subject));
  EXPECT_TRUE(holds(f + " or " + f + " or not (" + f + " or " + f + ")", subject));
}

TEST(Where, TheFirstOfEqualKeysCounts) {
  EventView view;
  const Bytes data = from_hex("82 a1 61 01 a1 61 02");
  view.data = data;
  EXPECT_TRUE(Where::parse("data.a == 1").value().matches(view));
}

TEST(Where, SaysWhereAMistakeIsAndWhatWasExpected) {
  EXPECT_EQ(mistake(""), "where: 1:1: expected a field or a value, found the end");
  EXPECT_EQ(mistake("data.a = 1"), "where: 1:8: unexpected '='; write ==");
  EXPECT_EQ(mistake("data.a == 1 && data.b == 2"), "where: 1:13: unexpected '&'; write and");
  EXPECT_EQ(mistake("data.a == 1\n  or data.b >< 2"), "where: 2:14: expected a field or a value, found '<'");
  EXPECT_EQ(mistake("data.a =="), "where: 1:10: expected a field or a value, found the end");
  EXPECT_EQ(mistake("data.a"),
            "where: 1:7: expected a comparison (== != < <= > >= in, not in, prefix, suffix, contains, "
            "matches, is null), found the end");
  EXPECT_EQ(mistake("(data.a == 1"), "where: 1:13: expected and, or, or ')', found the end");
  EXPECT_EQ(mistake("data.a == 1)"), "where: 1:12: expected and, or, or the end of the condition, found ')'");
  EXPECT_EQ(mistake("'é' == symbol"), "where: 1:8: 'symbol' is not a field of an event; its data is data.NAME");
  EXPECT_EQ(mistake("prioritty == 'low'"),
            "where: 1:1: 'prioritty' is not a field of an event; did you mean priority?");
  EXPECT_EQ(mistake("priority == 'urgent'"), R"(where: 1:13: expected "critical", "high", "normal" or "low")");
  EXPECT_EQ(mistake("type == 5"), "where: 1:9: expected a text, found a number");
  EXPECT_EQ(mistake("time > 'noon'"), "where: 1:8: expected a time such as \"2026-11-21T10:00:00Z\"");
  EXPECT_EQ(mistake("type == schema_version"), "where: 1:9: a text is never equal to a number");
  EXPECT_EQ(mistake("time == data.at"), "where: 1:9: a time is never equal to something in the data");
  EXPECT_EQ(mistake("data.p < priority"), "where: 1:10: a priority is never equal to something in the data");
  EXPECT_EQ(mistake("data.a == 1."), "where: 1:11: '1.' is not a number that can be compared with");
  EXPECT_EQ(mistake("data.a == 1.e5"), "where: 1:11: '1.e5' is not a number that can be compared with");
  EXPECT_EQ(mistake("key == “x”"), "where: 1:8: unexpected '“'");
  EXPECT_EQ(mistake("dätä.x == 1"), "where: 1:2: unexpected 'ä'");
  EXPECT_EQ(mistake("1 == 1"), "where: 1:1: two values are compared; one of them has to be a field");
  EXPECT_EQ(mistake("data.a == null"), "where: 1:11: nothing is compared with null; write \"is null\" behind a field");
  EXPECT_EQ(mistake("data.a < true"), "where: 1:10: true and false have no order; write == or !=");
  EXPECT_EQ(mistake("data.a in (1, 'x')"), "where: 1:15: expected a number, found a text");
  EXPECT_EQ(mistake("data.a in (1, data.b)"), "where: 1:15: expected a value; a list holds no fields");
  EXPECT_EQ(mistake("data.a in ()"), "where: 1:12: expected a field or a value, found ')'");
  EXPECT_EQ(mistake("data.a is nil"), "where: 1:11: expected null, found 'nil'");
  EXPECT_EQ(mistake("data.a prefix 5"), "where: 1:15: expected a text in quotes behind 'prefix', found '5'");
  EXPECT_EQ(mistake("schema_version prefix '5'"),
            "where: 1:16: 'prefix' is for texts; the field before it is a number");
  EXPECT_EQ(mistake("data.a == 'x"), "where: 1:11: expected a closing quote for the text that begins here");
  EXPECT_EQ(mistake(R"(data.a == 'x\q')"), R"(where: 1:13: expected one of \\ \" \' \n \r \t behind the backslash)");
  EXPECT_EQ(mistake("data.a == 18446744073709551616"),
            "where: 1:11: '18446744073709551616' is not a number that can be compared with");
  EXPECT_EQ(mistake("data.a == 1x"), "where: 1:11: '1x' is not a number that can be compared with");
  EXPECT_EQ(mistake("data.a[-1] == 1"), "where: 1:8: expected a place in a list, from 0 to 65535");
  EXPECT_EQ(mistake("data. == 1"),
            R"(where: 1:7: expected a name behind the dot (odd names: ["odd name"]), found '==')");
  EXPECT_EQ(mistake("ext == 1"), "where: 1:5: expected '.' or '[' and the name of an extension, found '=='");
  EXPECT_EQ(mistake("exists('a')"), "where: 1:8: expected a field, not a value");
  EXPECT_EQ(mistake("\xff == 1"), "where: 1:1: not UTF-8");
}

TEST(Where, HasBounds) {
  std::string deep = "exists(data.x)";
  for (std::size_t i = 1; i <= limits::where_depth_max; ++i) deep = "(" + deep + ")";
  EXPECT_EQ(mistake(deep), "none");
  EXPECT_EQ(mistake("(" + deep + ")"), "where: 1:33: more than 32 parentheses and nots within each other");

  std::string many = "exists(key)";
  for (std::size_t i = 1; i < limits::where_tests_max; ++i) many += " or exists(key)";
  EXPECT_EQ(mistake(many), "none");
  EXPECT_THAT(mistake(many + " or exists(key)"), testing::EndsWith("more than 256 comparisons"));

  std::string list = "data.a in (1";
  for (std::size_t i = 1; i < limits::where_list_max; ++i) list += ",1";
  EXPECT_EQ(mistake(list + ")"), "none");
  EXPECT_THAT(mistake(list + ",1)"), testing::EndsWith("more than 256 values in lists"));

  EXPECT_EQ(mistake(std::string(4097, ' ')), "where: 1:1: longer than 4096 bytes");

  std::string path = "data";
  for (int i = 0; i < 16; ++i) path += "[0]";
  EXPECT_EQ(mistake("exists(" + path + ")"), "none");
  EXPECT_THAT(mistake("exists(" + path + "[0])"), testing::EndsWith("more than 16 steps into the data"));
}

TEST(Where, MatchesLooksAtNoEndlessTexts) {
  const Subject fits("\"" + std::string(limits::where_glob_bytes_max, 'a') + "\"");
  const Subject exceeds("\"" + std::string(limits::where_glob_bytes_max + 1, 'a') + "\"");
  EXPECT_TRUE(holds("data matches '*a'", fits));
  EXPECT_FALSE(holds("data matches '*a'", exceeds));
  EXPECT_TRUE(holds("data suffix 'a'", exceeds));
}

TEST(Where, KeepsItsTextAndComparesByIt) {
  const auto one = Where::parse("data.a == 1").value();
  EXPECT_EQ(one.text(), "data.a == 1");
  EXPECT_EQ(one, Where::parse("data.a == 1").value());
  EXPECT_NE(one, Where::parse("data.a  == 1").value());
}

TEST(WhereField, HashesEqualValuesAlikeAndOthersNot) {
  const WhereField field = WhereField::parse("data.a").value();
  const auto hash = [&](const std::string& json) { return field.hash_of(Subject(json).event()); };
  EXPECT_EQ(hash(R"({"a":5})"), hash(R"({"b":1,"a":5.0})"));
  EXPECT_EQ(hash(R"({"a":-5})"), hash(R"({"a":-5.0})"));
  EXPECT_EQ(hash(R"({"a":0})"), hash(R"({"a":-0.0})"));
  EXPECT_NE(hash(R"({"a":5})"), hash(R"({"a":"5"})"));
  EXPECT_NE(hash(R"({"a":5})"), hash(R"({"a":6})"));
  EXPECT_NE(hash(R"({"a":true})"), hash(R"({"a":1})"));
  EXPECT_EQ(hash(R"({"b":5})"), std::nullopt);
  EXPECT_EQ(hash(R"({"a":[5]})"), std::nullopt);
  EXPECT_EQ(hash(R"({"a":{"$float":"nan"}})"), std::nullopt);
}

TEST(WhereField, IsOneField) {
  EXPECT_TRUE(WhereField::parse("key").has_value());
  EXPECT_EQ(WhereField::parse("'x'").error().message, "field: 1:1: expected a field, not a value");
  EXPECT_EQ(WhereField::parse("data.a == 1").error().message, "field: 1:8: expected the end of the field, found '=='");
}

}  // namespace
}  // namespace legion
