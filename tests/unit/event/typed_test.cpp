// Typed events: the codec that a declaration makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <legion/base/rng.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/event/policy.hpp>

#include "typed_kit.hpp"

namespace legion {
namespace {

using namespace typed_kit;
using testing::HasSubstr;

template <class T>
Result<T> decode(BytesView data, std::uint32_t version = T::schema.version) {
  EventView event;
  event.type = T::schema.type;
  event.schema_version = version;
  event.data = data;
  return decode_data<T>(event);
}

TEST(Typed, EveryBuiltInEventComesBackAsItWasWritten) {
  int seen = 0;
  for_each_built_in([&](auto empty) {
    using T = decltype(empty);
    for (const T& value : {Filler().filled<T>(), T{}}) {
      const Event event = make_event(value);
      EXPECT_EQ(event.type, T::schema.type);
      EXPECT_EQ(event.schema_version, T::schema.version);
      const auto back = decode<T>(event.data);
      ASSERT_TRUE(back) << why(back);
      EXPECT_EQ(*back, value) << event.type;
      EXPECT_EQ(fit_of(schema_of<T>(), T::schema.version, event.data), SchemaFit::Fits) << event.type;
    }
    ++seen;
  });
  EXPECT_EQ(seen, 47);
}

TEST(Typed, EveryTypeOfTheCatalogIsDeclaredButTheHeartbeat) {
  const auto schemas = built_in_schemas();
  auto at = schemas.begin();
  for (const CatalogEntry& entry : catalog()) {
    if (entry.type == "agent.heartbeat") continue;
    ASSERT_NE(at, schemas.end());
    EXPECT_EQ(at->type, entry.type);
    EXPECT_FALSE(at->docs.empty());
    for (const FieldInfo& field : at->fields) EXPECT_FALSE(field.docs.empty()) << at->type << ' ' << field.name;
    ++at;
  }
  EXPECT_EQ(at, schemas.end());
}

TEST(Typed, DataIsAMapInTheOrderOfTheDeclaration) {
  const MarketDataReceived trade{.symbol = "XBT/USDT", .price = 60000.5, .volume = 0.25, .side = "buy", .exchange = {}};
  EXPECT_EQ(data_to_json(encode_data(trade)).value(),
            R"({"symbol":"XBT/USDT","price":60000.5,"volume":0.25,"side":"buy"})");
}

TEST(Typed, EveryKindOfFieldComesBack) {
  const auto value = Filler().filled<EveryKind>();
  const auto back = decode<EveryKind>(encode_data(value));
  ASSERT_TRUE(back) << why(back);
  EXPECT_EQ(*back, value);
}

TEST(Typed, FieldsMayComeInAnyOrderWithOthersBetween) {
  const auto back = decode<MarketDataReceived>(
      data_of(R"({"note":{"a":[1,2]},"side":"sell","price":3,"more":null,"symbol":"X","volume":-4})"));
  ASSERT_TRUE(back) << why(back);
  EXPECT_EQ(*back, (MarketDataReceived{.symbol = "X", .price = 3, .volume = -4, .side = "sell", .exchange = {}}));
}

TEST(Typed, OfAFieldThatStandsTwiceTheLastCounts) {
  MsgpackWriter twice;
  twice.map(3);
  for (const auto* symbol : {"A", "B"}) {
    twice.str("symbol");
    twice.str(symbol);
  }
  twice.str("price");
  twice.float64(1);
  EXPECT_EQ(decode<MarketDataReceived>(twice.bytes()).value().symbol, "B");
}

TEST(Typed, NilIsAbsentForAnOptionalFieldOnly) {
  EXPECT_EQ(decode<MarketDataReceived>(data_of(R"({"symbol":"X","price":1,"side":null})")).value().side, std::nullopt);
  EXPECT_THAT(why(decode<MarketDataReceived>(data_of(R"({"symbol":null,"price":1})"))),
              HasSubstr("symbol: expected a string, found nil"));
}

TEST(Typed, NoDataIsAMapWithoutFields) {
  EXPECT_TRUE(decode<SystemStartup>({}));
  EXPECT_TRUE(decode<SystemStartup>(data_of("null")));
  EXPECT_EQ(why(decode<StrategyError>({})), "strategy.error (version 1): strategy: is missing; expected a string");
}

struct Misfit {
  std::string_view json;
  std::string_view reason;
};

TEST(Typed, ErrorsNameTheField) {
  constexpr std::string_view good =
      R"("text":"t","real":1,"integer":1,"natural":1,"flag":true,"names":[],"reals":[],"levels":[],"values":{},)";
  const std::vector<Misfit> cases{
      {R"({"leg":{"symbol":"X","quantity":1}})", "legs: is missing; expected a list of maps"},
      {R"({"leg":{"symbol":"X","quantity":1},"legs":[{"symbol":"X","quantity":1},{"symbol":7}]})",
       "legs[1].symbol: expected a string, found an unsigned integer"},
      {R"({"leg":{"symbol":"X"},"legs":[]})", "leg.quantity: is missing; expected a number"},
      {R"({"leg":[],"legs":[]})", "leg: expected a map, found an array"},
      {R"({"leg":{"symbol":"X","quantity":{"$float":"nan"}},"legs":[]})",
       "leg.quantity: expected a finite number, found nan"},
      {R"({"leg":{"symbol":"X","quantity":1,"hedged":"no"},"legs":[]})", "leg.hedged: expected a bool, found a string"},
      {R"({"leg":{"symbol":"X","quantity":1},"legs":[],"more":7})",
       "more: expected a list of maps, found an unsigned integer"},
      {R"({"leg":{"symbol":"X","quantity":1},"legs":[],"limit":{"$float":"-inf"}})",
       "limit: expected a finite number, found -inf"},
  };
  for (const Misfit& each : cases) {
    const std::string json = "{" + std::string(good) + std::string(each.json.substr(1));
    EXPECT_EQ(why(decode<EveryKind>(data_of(json))), "test.every_kind (version 1): " + std::string(each.reason));
  }
  const std::vector<Misfit> kinds{
      {R"({"text":1})", "text: expected a string, found an unsigned integer"},
      {R"({"real":"1"})", "real: expected a number, found a string"},
      {R"({"integer":1.0})", "integer: expected an integer, found a float"},
      {R"({"natural":-1})", "natural: expected an unsigned integer, found a negative integer"},
      {R"({"flag":0})", "flag: expected a bool, found an unsigned integer"},
      {R"({"names":["a",1]})", "names[1]: expected a string, found an unsigned integer"},
      {R"({"names":"a"})", "names: expected a list of strings, found a string"},
      {R"({"reals":[1,true]})", "reals[1]: expected a number, found a bool"},
      {R"({"levels":[[1,2],[3]]})", "levels[1]: expected a pair of numbers, found an array"},
      {R"({"levels":[[1,{"$float":"inf"}]]})", "levels[0][1]: expected a finite number, found inf"},
      {R"({"values":{"a":"b"}})", "values.a: expected a number, found a string"},
      {R"([1])", "the data: expected a map, found an array"},
  };
  for (const Misfit& each : kinds) {
    EXPECT_EQ(why(decode<EveryKind>(data_of(each.json))), "test.every_kind (version 1): " + std::string(each.reason));
  }
}

TEST(Typed, IntegersAreFloatsAndMapsMayHoldNan) {
  const auto features =
      decode<FeaturesComputed>(data_of(R"({"symbol":"X","features":{"rsi":50,"beta":{"$float":"nan"},"low":-3}})"));
  ASSERT_TRUE(features) << why(features);
  EXPECT_EQ(features->features.at("rsi"), 50.0);
  EXPECT_EQ(features->features.at("low"), -3.0);
  EXPECT_TRUE(std::isnan(features->features.at("beta")));
}

TEST(Typed, AnEventOfAnotherTypeIsNotDecoded) {
  EventView event;
  event.type = "trade.rejected";
  const auto decoded = decode_data<TradeApproved>(event);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(decoded.error().message, "the event is of type trade.rejected and not trade.approved");
}

TEST(Typed, AnObjectThatIsUsedAgainKeepsNothingOfBefore) {
  MarketDataReceived trade;
  const auto read = [&](std::string_view json) { return decode_data(1, BytesView(data_of(json)), trade); };
  ASSERT_TRUE(read(R"({"symbol":"A","price":1,"volume":2,"side":"buy","exchange":"e"})"));
  ASSERT_TRUE(read(R"({"symbol":"B","price":3})"));
  EXPECT_EQ(trade, (MarketDataReceived{.symbol = "B", .price = 3, .volume = {}, .side = {}, .exchange = {}}));
}

TEST(Typed, CutDataIsAnErrorAtEveryByte) {
  const Bytes whole = encode_data(Filler().filled<EveryKind>());
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode<EveryKind>(cut)) << size;
    EXPECT_EQ(fit_of(schema_of<EveryKind>(), 1, cut), SchemaFit::Misfit) << size;
    EXPECT_FALSE(check_data(schema_of<EveryKind>(), 1, cut)) << size;
  }
  Bytes longer = whole;
  longer.push_back(0xc0);
  EXPECT_THAT(why(decode<EveryKind>(longer)), HasSubstr("1 bytes follow the map"));
}

// The codec, the check and its reason are three pieces of code: on damaged data they have to agree.
TEST(Typed, CodecCheckAndReasonAgreeOnDamagedData) {
  const Bytes whole = encode_data(Filler().filled<EveryKind>());
  Rng rng(7);
  int fits = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes damaged = whole;
    const auto changes = 1 + rng.below(3);
    for (std::uint64_t i = 0; i < changes; ++i) {
      damaged[rng.below(damaged.size())] = static_cast<std::uint8_t>(rng.below(256));
    }
    const bool decoded = decode<EveryKind>(damaged).has_value();
    fits += decoded ? 1 : 0;
    ASSERT_EQ(fit_of(schema_of<EveryKind>(), 1, damaged) == SchemaFit::Fits, decoded) << "round " << round;
    ASSERT_EQ(check_data(schema_of<EveryKind>(), 1, damaged).has_value(), decoded) << "round " << round;
  }
  EXPECT_GT(fits, 1000);
  EXPECT_LT(fits, 19'000);
}

}  // namespace
}  // namespace legion
