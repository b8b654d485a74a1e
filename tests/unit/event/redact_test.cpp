#include <gtest/gtest.h>

#include <legion/event/json.hpp>
#include <legion/event/redact.hpp>

#include "samples.hpp"

namespace legion {
namespace {

std::string redacted(const std::vector<std::string>& fields, const std::string& json) {
  const auto redaction = Redaction::create(fields, "***").value();
  const Bytes data = data_from_json(json).value();
  const auto changed = redaction.apply(data);
  return changed ? data_to_json(*changed).value() : "untouched";
}

TEST(Redaction, ReplacesValuesOfEveryKindWhereTheyStand) {
  EXPECT_EQ(redacted({"data.card"}, R"({"a":1,"card":"4111","z":2})"), R"({"a":1,"card":"***","z":2})");
  EXPECT_EQ(redacted({"data.card"}, R"({"card":{"number":[1,2,3]},"z":2})"), R"({"card":"***","z":2})");
  EXPECT_EQ(redacted({"data.a.b[1].c", "data.z"}, R"({"a":{"b":[{"c":1},{"c":2}]},"z":null})"),
            R"({"a":{"b":[{"c":1},{"c":"***"}]},"z":"***"})");
  EXPECT_EQ(redacted({"data"}, R"([1,2])"), R"("***")");
}

TEST(Redaction, LeavesDataWithoutTheFieldsAlone) {
  EXPECT_EQ(redacted({"data.card", "data.a.b", "data[0]"}, R"({"a":1})"), "untouched");
}

TEST(Redaction, AFieldInsideOfAnotherGoesWithIt) {
  EXPECT_EQ(redacted({"data.a.b", "data.a", "data.a"}, R"({"a":{"b":1}})"), R"({"a":"***"})");
}

TEST(Redaction, OfEqualKeysEveryOneIsReplaced) {
  const auto redaction = Redaction::create({"data.a"}, "x").value();
  const Bytes twice = samples::from_hex("82 a1 61 01 a1 61 02");
  EXPECT_EQ(samples::to_hex(redaction.apply(twice).value()), "82a161a178a161a178");
}

TEST(Redaction, IsForFieldsOfTheData) {
  EXPECT_EQ(Redaction::create({"key"}, "x").error().message,
            "field: key is not in the data; attributes cannot be redacted");
  EXPECT_EQ(Redaction::create({"data..a"}, "x").error().message,
            R"(field: 1:6: expected a name behind the dot (odd names: ["odd name"]), found '.')");
}

}  // namespace
}  // namespace legion
