// Declarations at run time: versions, upcasts, the table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "typed_kit.hpp"

namespace legion {
namespace {

using namespace typed_kit;
using testing::HasSubstr;

Result<void> meters_from_feet(DataMap& data) {
  const auto feet = data.number("feet");
  if (!feet) return fail(ErrorCode::BadData, "feet: is missing");
  data.set_number("meters", *feet * 0.3048);
  data.remove("feet");
  return {};
}
Result<void> renamed(DataMap& data) {
  data.rename("name", "title");
  return {};
}

/// Of three versions.
struct Height {
  std::string title;
  double meters = 0;
  static constexpr auto schema =
      event_schema("test.height", 3, "How high something is.", data_field("title", &Height::title, "what"),
                   data_field("meters", &Height::meters, "m"));
  static constexpr std::array upcasts{Upcast{2, &renamed}, Upcast{1, &meters_from_feet}};
  friend bool operator==(const Height&, const Height&) = default;
};

/// The same type, declared by somebody else, and without a way from version 1.
struct OtherHeight {
  std::string name;
  static constexpr auto schema =
      event_schema("test.height", 2, "How high something is.", data_field("name", &OtherHeight::name, "what"));
};

template <class T>
Result<T> decode(std::uint32_t version, std::string_view json) {
  const Bytes data = data_of(json);
  EventView event;
  event.type = T::schema.type;
  event.schema_version = version;
  event.data = data;
  return decode_data<T>(event);
}

TEST(Schema, OlderVersionsAreBroughtUpStepByStep) {
  const auto high = decode<Height>(1, R"({"name":"tower","feet":1000,"by":"me"})");
  ASSERT_TRUE(high) << why(high);
  EXPECT_EQ(*high, (Height{"tower", 304.8}));
  EXPECT_EQ(decode<Height>(2, R"({"name":"tower","meters":5})").value(), (Height{"tower", 5}));
  EXPECT_EQ(decode<Height>(3, R"({"title":"tower","meters":5})").value(), (Height{"tower", 5}));
}

TEST(Schema, AnUpcastPassesOnWhatItDoesNotKnow) {
  const auto upcast = upcast_data(schema_of<Height>(), 1, data_of(R"({"by":{"x":[1,null]},"name":"t","feet":10})"));
  ASSERT_TRUE(upcast) << why(upcast);
  EXPECT_EQ(data_to_json(*upcast).value(), R"({"by":{"x":[1,null]},"title":"t","meters":3.048})");
}

TEST(Schema, AFailedUpcastSaysWhichVersionAndWhy) {
  EXPECT_EQ(why(decode<Height>(1, R"({"name":"tower"})")), "test.height (version 1): feet: is missing");
  EXPECT_EQ(why(decode<Height>(1, "[]")).substr(0, 36), "test.height (version 1): the data: M");
  EXPECT_EQ(why(decode<OtherHeight>(1, R"({"name":"t"})")),
            "test.height (version 1): nothing brings version 1 to the next one");
  EXPECT_EQ(why(decode<Height>(0, "{}")), "test.height (version 0): versions begin at 1");
  EXPECT_EQ(why(decode<Height>(2, R"({"name":"tower"})")),
            "test.height (version 2): meters: is missing; expected a number");
}

TEST(Schema, OfANewerVersionWhatIsKnownIsRead) {
  EXPECT_EQ(decode<Height>(4, R"({"title":"t","meters":1,"depth":2})").value(), (Height{"t", 1}));
  EXPECT_EQ(why(decode<Height>(4, R"({"title":"t","metres":1})")),
            "test.height (version 4): meters: is missing; expected a number");
  EXPECT_EQ(fit_of(schema_of<Height>(), 4, data_of("[]")), SchemaFit::Newer);
  EXPECT_TRUE(check_data(schema_of<Height>(), 4, data_of("[]")));
}

TEST(Schema, TheFirstSignalsAreStillUnderstood) {
  const auto signal = decode<SignalGenerated>(1, R"({"symbol":"XBT/USDT","action":"BUY","price":1,"confidence":0.5})");
  ASSERT_TRUE(signal) << why(signal);
  EXPECT_EQ(signal->action, "buy");
  EXPECT_EQ(signal->strategy, "");
  EXPECT_EQ(decode<SignalGenerated>(1, R"({"symbol":"X","action":"sell","price":1,"confidence":1,"strategy":"mine"})")
                .value()
                .strategy,
            "mine");
  const auto wrong = decode<SignalGenerated>(1, R"({"symbol":"X","action":"sell","price":"1","confidence":1})");
  EXPECT_EQ(why(wrong), "signal.generated (version 1): price: expected a number, found a string");
  EXPECT_THAT(why(decode<SignalGenerated>(2, R"({"symbol":"X","action":"sell","price":1,"confidence":1})")),
              HasSubstr("strategy: is missing"));
}

TEST(SchemaTable, ChecksAndUpcastsByType) {
  const SchemaTable table = SchemaTable::built_in();
  EXPECT_EQ(table.all().size(), built_in_schemas().size());
  EXPECT_EQ(table.find("demo.x"), nullptr);
  EXPECT_TRUE(table.check("demo.x", 1, data_of("[1]")));
  EXPECT_EQ(
      why(table.check("trade.approved", 1, data_of(R"({"symbol":"X","action":"buy","price":true,"quantity":1})"))),
      "trade.approved (version 1): price: expected a number, found a bool");
  EXPECT_TRUE(table.check("trade.approved", 9, data_of("[1]"))) << "of a newer version nothing is known";
  const Bytes old = data_of(R"({"symbol":"X","action":"HOLD","price":1,"confidence":1})");
  EXPECT_TRUE(table.check("signal.generated", 1, old));
  EXPECT_FALSE(table.check("signal.generated", 2, old));
  EXPECT_EQ(data_to_json(table.upcast("signal.generated", 1, old).value()).value(),
            R"({"symbol":"X","action":"hold","price":1,"confidence":1,"strategy":""})");
  EXPECT_EQ(table.upcast("demo.x", 1, old).value(), old);
  EXPECT_EQ(table.upcast("signal.generated", 3, old).value(), old);
}

/// A program's own idea of a type of the catalog.
struct OurTrade {
  std::string ticker;
  static constexpr auto schema =
      event_schema("trade.approved", 2, "As we do it.", data_field("ticker", &OurTrade::ticker, "what is traded"));
};

TEST(SchemaTable, ProgramsDeclareTheirOwn) {
  SchemaTable table = SchemaTable::built_in();
  ASSERT_TRUE(table.add(schema_of<Height>()));
  EXPECT_TRUE(table.add(schema_of<Height>())) << "twice the same";
  const auto clash = table.add(schema_of<OtherHeight>());
  ASSERT_FALSE(clash);
  EXPECT_EQ(clash.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(clash.error().message, "test.height: there is another declaration of this type");
  ASSERT_TRUE(table.add(schema_of<OurTrade>())) << "takes the place of the one of the catalog";
  EXPECT_EQ(table.find("trade.approved")->version, 2u);
  EXPECT_FALSE(table.add(schema_of<TradeApproved>()));
  EXPECT_FALSE(table.add({.type = "Not a type", .version = 1, .docs = {}, .fields = {}, .upcasts = {}}));
  EXPECT_FALSE(table.add({.type = "~mine", .version = 1, .docs = {}, .fields = {}, .upcasts = {}}));
  EXPECT_FALSE(table.add({.type = "mine", .version = 0, .docs = {}, .fields = {}, .upcasts = {}}));
}

TEST(DataMap, ChangesFieldsAndKeepsTheRest) {
  const Bytes data = data_of(R"({"a":1,"b":"two","c":[3]})");
  auto map = DataMap::read(data).value();
  EXPECT_EQ(map.text("b"), "two");
  EXPECT_EQ(map.number("a"), 1.0);
  EXPECT_EQ(map.text("a"), std::nullopt);
  EXPECT_EQ(map.number("z"), std::nullopt);
  EXPECT_TRUE(map.rename("b", "c"));
  EXPECT_FALSE(map.rename("z", "a"));
  EXPECT_FALSE(map.remove("z"));
  map.set_integer("a", -4);
  map.set_boolean("d", true);
  EXPECT_EQ(data_to_json(map.encode()).value(), R"({"a":-4,"c":"two","d":true})");
  EXPECT_EQ(DataMap::read({}).value().size(), 0u);
  EXPECT_FALSE(DataMap::read(data_of("[1]")));
}

}  // namespace
}  // namespace legion
