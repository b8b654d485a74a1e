#include <legion/event/json.hpp>

#include <gtest/gtest.h>

#include "samples.hpp"

namespace legion {
namespace {

using samples::from_hex;
using samples::to_hex;

std::string json_of(std::string_view hex) {
  const auto json = data_to_json(from_hex(hex));
  EXPECT_TRUE(json) << hex << ": " << json.error().message;
  return json.value_or("");
}

std::string hex_of(std::string_view json) {
  const auto bytes = data_from_json(json);
  EXPECT_TRUE(bytes) << json << ": " << bytes.error().message;
  return bytes ? to_hex(*bytes) : "";
}

std::string complaint(std::string_view json) {
  const auto bytes = data_from_json(json);
  EXPECT_FALSE(bytes) << json;
  return bytes ? "" : bytes.error().message;
}

std::string nested_arrays(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

// Text and bytes of one value, each the image of the other.
void expect_both_ways(std::string_view json, std::string_view hex) {
  EXPECT_EQ(json_of(hex), json);
  EXPECT_EQ(hex_of(json), to_hex(from_hex(hex)));
}

TEST(Json, ScalarsGoBothWays) {
  expect_both_ways("null", "c0");
  expect_both_ways("true", "c3");
  expect_both_ways("false", "c2");
  expect_both_ways("0", "00");
  expect_both_ways("-1", "ff");
  expect_both_ways("200", "ccc8");
  expect_both_ways(R"("hi")", "a26869");
  expect_both_ways(R"("")", "a0");
}

TEST(Json, IntegersKeepAllSixtyFourBits) {
  expect_both_ways("18446744073709551615", "cfffffffffffffffff");
  expect_both_ways("9223372036854775808", "cf8000000000000000");
  expect_both_ways("-9223372036854775808", "d38000000000000000");
  EXPECT_NE(complaint("18446744073709551616").find("64 bits"), std::string::npos);
  EXPECT_NE(complaint("[-9223372036854775809]").find("64 bits"), std::string::npos);
}

TEST(Json, FloatsStayFloatsAndExact) {
  expect_both_ways("1.0", "cb3ff0000000000000");
  expect_both_ways("-0.0", "cb8000000000000000");
  expect_both_ways("0.1", "cb3fb999999999999a");
  expect_both_ways("5e-324", "cb0000000000000001");
  expect_both_ways("1.7976931348623157e+308", "cb7fefffffffffffff");
  EXPECT_EQ(hex_of("1e3"), "cb408f400000000000");
  EXPECT_EQ(json_of("ca3fc00000"), "1.5");
  complaint("1e999");
}

TEST(Json, WhatJsonCannotSayHasMarkers) {
  expect_both_ways(R"({"$float":"nan"})", "cb7ff8000000000000");
  expect_both_ways(R"({"$float":"inf"})", "cb7ff0000000000000");
  expect_both_ways(R"({"$float":"-inf"})", "cbfff0000000000000");
  expect_both_ways(R"({"$bin":"AAEC"})", "c403000102");
  expect_both_ways(R"({"$bin":""})", "c400");
  expect_both_ways(R"({"$ext":[-1,"AAAAAA=="]})", "d6ff00000000");
  expect_both_ways(R"({"$ext":[5,""]})", "c70005");
  expect_both_ways(R"({"a":[{"$bin":"AA=="},{"$float":"inf"}]})", "81a16192c40100cb7ff0000000000000");
}

TEST(Json, TextThatIsNotUtf8BecomesBinary) { EXPECT_EQ(json_of("a2ff41"), R"({"$bin":"/0E="})"); }

TEST(Json, AMalformedMarkerIsBadData) {
  for (const char* bad : {R"({"$bin":1})", R"({"$bin":"A"})", R"({"$bin":null})", R"({"$float":"NaN"})",
                          R"({"$float":1.0})", R"({"$ext":[1]})", R"({"$ext":[128,""]})", R"({"$ext":[1,2]})",
                          R"({"$ext":["1",""]})", R"({"$ext":[1,"",2]})", R"([{"$ext":{}}])"}) {
    EXPECT_NE(complaint(bad).find("malformed"), std::string::npos) << bad;
  }
}

TEST(Json, AMarkerNameAmongOthersIsAnOrdinaryKey) {
  expect_both_ways(R"({"$bin":1,"a":2})", "82a42462696e01a16102");
  expect_both_ways(R"({"$other":1})", "81a6246f7468657201");
}

TEST(Json, ContainersGoBothWays) {
  expect_both_ways("[]", "90");
  expect_both_ways("{}", "80");
  expect_both_ways(R"({"b":[1,[2,{"c":null}]],"a":{}})", "82a162920192 02 81a163c0 a16180");
  const std::string sixteen = "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]]";
  EXPECT_EQ(json_of(hex_of(sixteen)), sixteen);
}

TEST(Json, OfRepeatedKeysTheLastWins) {
  EXPECT_EQ(hex_of(R"({"a":1,"b":2,"a":[3]})"), to_hex(from_hex("82a16202a1619103")));
  EXPECT_EQ(hex_of(R"({"x":{"a":1,"a":2},"a":5,"x":7})"), to_hex(from_hex("82a16105a17807")));
  EXPECT_EQ(hex_of(R"({"$bin":1,"$bin":"AA=="})"), "c40100");
}

TEST(Json, StringsAreEscaped) {
  const std::string text("\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80", 17);
  MsgpackWriter writer;
  writer.str(text);
  const auto json = data_to_json(writer.bytes());
  EXPECT_EQ(json, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\xf0\x9f\x98\x80\"");
  EXPECT_EQ(hex_of(*json), to_hex(writer.bytes()));
  EXPECT_EQ(hex_of(R"("\u0000\ud83d\ude00")"), to_hex(from_hex("a5 00 f09f9880")));
}

TEST(Json, BadUtf8IsReportedWithItsPosition) {
  const std::string message = complaint("{\"a\":\"x\xff\"}");
  EXPECT_NE(message.find("column 8"), std::string::npos) << message;
  EXPECT_NE(message.find("UTF-8"), std::string::npos) << message;
  complaint(R"("\ud800")");
  complaint("\"\xed\xa0\x80\"");
}

TEST(Json, RefusesWhatIsNotOneValue) {
  for (const char* bad : {"", " ", "nul", "1 2", "[1,]", "{\"a\"}", "{a:1}", "01", "+1", ".5", "'a'", "[", "]",
                          "{\"a\":1", "NaN", "\"a\nb\"", "// x\n1"}) {
    complaint(bad);
  }
  complaint(std::string_view("1\0garbage", 9));
}

TEST(Json, DepthIsBoundedAndMarkersCostNone) {
  EXPECT_TRUE(data_from_json(nested_arrays(16)));
  EXPECT_NE(complaint(nested_arrays(17)).find("deep"), std::string::npos);
  complaint(nested_arrays(18));
  complaint(std::string(1'000'000, '['));
  complaint(std::string(100'000, '[') + std::string(100'000, ']'));
  const std::string marked = std::string(16, '[') + R"({"$ext":[1,""]})" + std::string(16, ']');
  EXPECT_EQ(json_of(hex_of(marked)), marked);
}

TEST(Json, EntriesAndLengthAreBounded) {
  std::string many = "[1";
  for (std::size_t i = 1; i < limits::msgpack_items_max; ++i) many += ",1";
  EXPECT_TRUE(data_from_json(many + "]"));
  complaint(many + ",1]");
  const auto big = data_from_json(std::string(limits::json_line_bytes_max + 1, ' '));
  ASSERT_FALSE(big);
  EXPECT_EQ(big.error().code, ErrorCode::TooBig);
}

TEST(Json, RefusesMessagePackThatIsNoEventData) {
  for (const char* bad : {"", "c1", "c0c0", "8101c0", "81a1ffc0", "91", "a5"}) {
    EXPECT_FALSE(data_to_json(from_hex(bad))) << bad;
  }
  EXPECT_FALSE(data_to_json(Bytes(17, 0x91)));
}

}  // namespace
}  // namespace legion
