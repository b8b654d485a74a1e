#include "samples.hpp"

#include <gtest/gtest.h>

#include <legion/event/event_codec.hpp>

namespace legion {
namespace {

using namespace samples;

ErrorCode refusal(const Event& event, std::size_t bytes_max = limits::event_bytes_max) {
  const auto result = encode_event(event, 0, bytes_max);
  EXPECT_FALSE(result);
  return result ? ErrorCode::Internal : result.error().code;
}

template <class Change>
Event changed(Change change) {
  Event event = full_event();
  change(event);
  return event;
}

TEST(EncodeEvent, RefusesWhatBreaksTheGrammar) {
  EXPECT_EQ(refusal(changed([](Event& e) { e.type = "Trade"; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.type = ""; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.type = std::string(121, 'a'); })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.source = ""; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.source = std::string(161, 'a'); })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.source = "a/\xff"; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.key = std::string(1025, 'k'); })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.tracestate = "\xc0\x80"; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.time = {-1}; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.expires_at = WallTime{-1}; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.extensions = {{"source", "x"}}; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.extensions = {{"", "x"}}; })), ErrorCode::InvalidArgument);
  EXPECT_EQ(refusal(changed([](Event& e) { e.extensions.assign(33, {"a", "x"}); })), ErrorCode::InvalidArgument);
}

TEST(EncodeEvent, RefusesDataThatIsNotOneValueWithTextKeys) {
  for (const char* bad : {"c0c0", "81", "81c0c0", "8101c0", "81c401 61c0", "c1", "a2 61", "81a1ffc0", "9181 01 01"}) {
    EXPECT_EQ(refusal(changed([&](Event& e) { e.data = from_hex(bad); })), ErrorCode::BadData) << bad;
  }
  for (const char* good :
       {"c0", "80", "90", "a161", "cb7ff8000000000000", "d6ff00000000", "c40100", "81a16181a16290"}) {
    EXPECT_TRUE(encode_event(changed([&](Event& e) { e.data = from_hex(good); }), 0, 1000)) << good;
  }
}

TEST(EncodeEvent, HoldsTheSizeLimit) {
  const std::size_t exact = encoded(plain_event()).size();
  EXPECT_TRUE(encode_event(plain_event(), 0, exact));
  EXPECT_EQ(refusal(plain_event(), exact - 1), ErrorCode::TooBig);
  EXPECT_EQ(refusal(changed([](Event& e) {
                      MsgpackWriter data;
                      data.bin(Bytes(limits::event_bytes_max));
                      e.data = data.take();
                    }),
                    std::size_t{1} << 40),
            ErrorCode::TooBig);
}

TEST(AppendEvent, AppendsTheSameBytesBehindWhatIsThere) {
  Bytes out = from_hex("0102");
  ASSERT_TRUE(append_event(plain_event(), {}, 1000, out));
  ASSERT_TRUE(append_event(full_event(), {}, 1000, out));
  EXPECT_EQ(to_hex(out), "0102" + to_hex(encoded(plain_event())) + to_hex(encoded(full_event())));
}

TEST(AppendEvent, LeavesTheBytesAloneAfterAnError) {
  Bytes out = from_hex("0102");
  const auto expect_refused = [&](const Event& event, std::size_t bytes_max, ErrorCode code) {
    const auto appended = append_event(event, {}, bytes_max, out);
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().code, code);
    EXPECT_EQ(to_hex(out), "0102");
  };
  expect_refused(plain_event(), encoded(plain_event()).size() - 1, ErrorCode::TooBig);
  expect_refused(changed([](Event& e) { e.data = from_hex("81"); }), 1000, ErrorCode::BadData);
  expect_refused(changed([](Event& e) { e.source = ""; }), 1000, ErrorCode::InvalidArgument);
}

TEST(AppendEvent, FillsInWhatTheEventDoesNotSay) {
  const auto same = [](const Event& event, const EventDefaults& defaults, const Event& said) {
    Bytes out, expected;
    EXPECT_TRUE(append_event(event, defaults, 1000, out));
    EXPECT_TRUE(append_event(said, {}, 1000, expected));
    EXPECT_EQ(to_hex(out), to_hex(expected));
  };
  const EventDefaults defaults{.source = "here/desk", .time = WallTime{77}, .ttl = Duration{5}};
  const auto silent = changed([](Event& e) { e.source = ""; e.time = {}; e.expires_at = {}; });
  same(silent, defaults, changed([](Event& e) { e.source = "here/desk"; e.time = WallTime{77}; e.expires_at = WallTime{82}; }));
  const auto outspoken = changed([](Event& e) { e.source = "a/b"; e.time = WallTime{3}; e.expires_at = WallTime{4}; });
  same(outspoken, defaults, outspoken);
}

TEST(AppendEvent, SaysWhatIsWrong) {
  Bytes out;
  const auto message = [&](const Event& event, std::size_t bytes_max = 1000) {
    return append_event(event, {}, bytes_max, out).error().message;
  };
  EXPECT_EQ(encode_event(changed([](Event& e) { e.type = "Trade"; }), 0, 1000).error().message,
            "type 'Trade' is not an event type");
  EXPECT_EQ(message(changed([](Event& e) { e.source = ""; })), "source is missing");
  EXPECT_EQ(message(changed([](Event& e) { e.key = "\xff"; })), "key is not UTF-8");
  EXPECT_EQ(message(changed([](Event& e) { e.extensions = {{"source", "x"}}; })),
            "extension 'source' may not have that name");
  EXPECT_EQ(message(changed([](Event& e) { e.data = from_hex("c0c0"); })),
            "data: MessagePack at byte 1: 1 bytes follow the value");
  EXPECT_EQ(message(changed([](Event& e) { e.data = from_hex("8101c0"); })),
            "data: MessagePack at byte 1: a map key is not a string");
  EXPECT_EQ(message(changed([](Event& e) { e.data = from_hex("81a1ffc0"); })),
            "data: MessagePack at byte 1: a map key is not UTF-8");
  EXPECT_EQ(message(plain_event(), 10), "the event 'trade.approved' takes 16 bytes, allowed are 10");
}

TEST(EncodeEvent, WritesEveryLengthOfTextAsTheWriterDoes) {
  for (const std::size_t size : {1, 31, 32, 160}) {
    MsgpackWriter expected;
    expected.array(5);
    expected.fixed_uint64(7);
    expected.str(std::string(size, 's'));
    expected.uint(0xffff'ffff);
    expected.map(2);
    expected.uint(1);
    expected.str(std::string(6 * size, 'c'));
    expected.uint(9);
    expected.map(size % 33);
    Event event;
    event.type = "a";
    event.source = std::string(size, 's');
    event.time = {7};
    event.schema_version = 0xffff'ffff;
    event.correlation_id = std::string(6 * size, 'c');
    for (std::size_t i = 0; i < size % 33; ++i) {
      event.extensions.emplace_back("e" + std::to_string(i), std::string(8 * i, 'x'));
      expected.str(event.extensions.back().first);
      expected.str(event.extensions.back().second);
    }
    expected.nil();
    EXPECT_EQ(to_hex(encoded(event)), to_hex(expected.bytes())) << size;
  }
}

TEST(EncodeEvent, CarriesTypeLaneAndShard) {
  const auto result = encode_event(plain_event(), 9, 1000);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->type, "trade.approved");
  EXPECT_EQ(result->lane, Priority::Critical);
  EXPECT_EQ(result->shard, 9);
}

TEST(EncodeEvent, TakesReservedTypesOfOurOwn) {
  EXPECT_TRUE(encode_event(changed([](Event& e) { e.type = "~replay." + std::string(120, 'a'); }), 0, 1000));
  EXPECT_TRUE(encode_event(changed([](Event& e) { e.type = "~record"; }), 0, 1000));
}

// [0, "n", 1, attributes, nil]
Result<EventView> decode_with(std::string_view attributes) {
  Bytes bytes = from_hex("95 00 a16e 01");
  const Bytes tail = from_hex(std::string(attributes) + "c0");
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  MsgpackReader reader(bytes);
  EventView event;
  if (const auto decoded = decode_event(reader, event); !decoded) return std::unexpected(decoded.error());
  event.correlation_id = event.correlation_id.empty() ? "" : "present";  // the bytes are about to go
  return event;
}

TEST(DecodeEvent, PassesOverAttributesOfLaterVersions) {
  const auto event = decode_with("83 0a 9201c0 01 a163 7f 81a161c403000000");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->correlation_id, "present");
}

TEST(DecodeEvent, RefusesOtherAttributeKeys) {
  for (const char* bad :
       {"8100c0", "81cc80c0", "81ffc0", "81a131a163", "8201a16301a163", "8101c0", "8106ff", "8106cfffffffffffffffff",
        "810991a161", "810981a16101", "810981a27479706501", "810981c0a161"}) {
    EXPECT_FALSE(decode_with(bad)) << bad;
  }
  std::string many = "de0021";
  for (int i = 0; i < 33; ++i) many += to_hex(Bytes{static_cast<std::uint8_t>(10 + i), 0xc0});
  EXPECT_FALSE(decode_with(many));
}

}  // namespace
}  // namespace legion
