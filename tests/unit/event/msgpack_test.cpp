#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <msgpack.hpp>

#include <legion/base/rng.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

#include "samples.hpp"

namespace legion {
namespace {

using samples::from_hex;
using samples::to_hex;

TEST(MsgpackWriter, UsesTheShortestForms) {
  MsgpackWriter writer;
  for (const std::uint64_t value : {0ull, 127ull, 128ull, 255ull, 256ull, 65536ull, 1ull << 32}) writer.uint(value);
  for (const std::int64_t value : {-1ll, -32ll, -33ll, -129ll, -32769ll, -2147483649ll}) writer.integer(value);
  EXPECT_EQ(to_hex(writer.take()), to_hex(from_hex("00 7f cc80 ccff cd0100 ce00010000 cf0000000100000000"
                                                   "ff e0 d0df d1ff7f d2ffff7fff d3ffffffff7fffffff")));
  writer.float64(1.0);
  writer.boolean(true);
  writer.boolean(false);
  writer.nil();
  writer.str("hi");
  writer.bin(from_hex("0102"));
  writer.ext(-1, from_hex("00000000"));
  writer.array(2);
  writer.map(1);
  EXPECT_EQ(to_hex(writer.take()), to_hex(from_hex("cb3ff0000000000000 c3 c2 c0 a26869 c4020102 d6ff00000000 92 81")));
}

TEST(MsgpackWriter, FixedFormsKeepTheirWidth) {
  MsgpackWriter writer;
  writer.fixed_uint8(1);
  writer.fixed_uint64(2);
  writer.array32(3);
  writer.bin32(from_hex("ff"));
  EXPECT_EQ(to_hex(writer.take()),
            "cc01"
            "cf0000000000000002"
            "dd00000003"
            "c600000001ff");
}

TEST(MsgpackWriter, ContinuesBehindWhatIsThere) {
  MsgpackWriter writer(from_hex("93"));
  writer.nil();
  EXPECT_EQ(to_hex(writer.bytes()), "93c0");
  EXPECT_EQ(writer.size(), 2u);
}

TEST(MsgpackReader, ReadsEveryWidthOfEveryKind) {
  for (const auto& [hex, value] : std::vector<std::pair<const char*, std::int64_t>>{{"05", 5},
                                                                                    {"cc05", 5},
                                                                                    {"cd0005", 5},
                                                                                    {"ce00000005", 5},
                                                                                    {"cf0000000000000005", 5},
                                                                                    {"d005", 5},
                                                                                    {"d10005", 5},
                                                                                    {"d200000005", 5},
                                                                                    {"d30000000000000005", 5},
                                                                                    {"fb", -5},
                                                                                    {"d0fb", -5},
                                                                                    {"d1fffb", -5},
                                                                                    {"d2fffffffb", -5},
                                                                                    {"d3fffffffffffffffb", -5}}) {
    const Bytes bytes = from_hex(hex);
    EXPECT_EQ(MsgpackReader(bytes).read_int(), value) << hex;
    EXPECT_EQ(MsgpackReader(bytes).read_uint().has_value(), value > 0) << hex;
  }
  for (const char* hex : {"a26869", "d9026869", "da00026869", "db000000026869"}) {
    const Bytes bytes = from_hex(hex);
    EXPECT_EQ(MsgpackReader(bytes).read_string(), "hi") << hex;
  }
  for (const char* hex : {"c4026869", "c500026869", "c6000000026869"}) {
    const Bytes bytes = from_hex(hex);
    EXPECT_EQ(as_text(MsgpackReader(bytes).read_bin().value()), "hi") << hex;
  }
  for (const char* hex : {"d40961", "c7010961", "c800010961", "c9000000010961"}) {
    const Bytes bytes = from_hex(hex);
    const auto ext = MsgpackReader(bytes).read_ext();
    ASSERT_TRUE(ext) << hex;
    EXPECT_EQ(ext->type, 9);
    EXPECT_EQ(as_text(ext->bytes), "a");
  }
  for (const char* hex : {"92c0c0", "dc0002c0c0", "dd00000002c0c0"}) {
    const Bytes bytes = from_hex(hex);
    EXPECT_EQ(MsgpackReader(bytes).read_array(), 2u) << hex;
  }
  for (const char* hex : {"81c0c0", "de0001c0c0", "df00000001c0c0"}) {
    const Bytes bytes = from_hex(hex);
    EXPECT_EQ(MsgpackReader(bytes).read_map(), 1u) << hex;
  }
  const Bytes floats = from_hex("ca3fc00000 cb3ff8000000000000");
  MsgpackReader reader(floats);
  EXPECT_EQ(reader.read_float(), 1.5);
  EXPECT_EQ(reader.read_float(), 1.5);
  EXPECT_TRUE(reader.at_end());
}

TEST(MsgpackReader, KeepsItsPositionAfterAnError) {
  const Bytes bytes = from_hex("91a16101");
  MsgpackReader reader(bytes);
  EXPECT_FALSE(reader.read_map());
  EXPECT_FALSE(reader.expect_array(2));
  EXPECT_EQ(reader.offset(), 0u);
  EXPECT_TRUE(reader.expect_array(1));
  EXPECT_FALSE(reader.read_uint());
  EXPECT_FALSE(reader.read_string(0));
  EXPECT_EQ(reader.offset(), 1u);
  EXPECT_EQ(reader.read_string(1), "a");
  EXPECT_FALSE(reader.expect_end());
  EXPECT_FALSE(reader.read_bool());
  EXPECT_EQ(reader.read_uint(), 1u);
  EXPECT_TRUE(reader.expect_end());
  EXPECT_FALSE(reader.peek());
  EXPECT_FALSE(reader.skip());
}

TEST(MsgpackReader, SaysWhereAndWhat) {
  const Bytes bytes = from_hex("92c001");
  MsgpackReader reader(bytes);
  ASSERT_TRUE(reader.expect_array(2));
  const auto text = reader.read_string();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::BadData);
  EXPECT_EQ(text.error().message, "MessagePack at byte 1: expected string, found nil");
}

TEST(MsgpackReader, DoesNotNarrow) {
  const Bytes bytes = from_hex("cfffffffffffffffff");
  EXPECT_FALSE(MsgpackReader(bytes).read_int());
  EXPECT_EQ(MsgpackReader(bytes).read_uint(), std::numeric_limits<std::uint64_t>::max());
}

TEST(MsgpackReader, BelievesNoCountThatTheBytesCannotHold) {
  for (const char* hex : {"ddffffffff", "dfffffffff", "dcffff", "deffff", "dbffffffff", "c6ffffffff", "c9ffffffff00",
                          "91", "81c0", "a1", "d9", "da00", "c4", "d4", "d400", "cf00", "cb", "c1", ""}) {
    const Bytes bytes = from_hex(hex);
    MsgpackReader reader(bytes);
    EXPECT_FALSE(reader.skip()) << hex;
    EXPECT_EQ(reader.offset(), 0u);
  }
  Bytes many = from_hex("dd00010001");
  many.resize(many.size() + 65537, 0xc0);
  EXPECT_FALSE(MsgpackReader(many).skip());
  many[4] = 0x00;
  many.pop_back();
  EXPECT_TRUE(MsgpackReader(many).skip());
}

TEST(MsgpackReader, WalksOnlyAsDeepAsAllowed) {
  Bytes nested(200'000, 0x91);
  EXPECT_FALSE(MsgpackReader(nested).skip());
  const Bytes two = from_hex("919190");
  EXPECT_TRUE(MsgpackReader(two).skip(3));
  EXPECT_FALSE(MsgpackReader(two).skip(2));
  const Bytes scalar = from_hex("01");
  EXPECT_TRUE(MsgpackReader(scalar).skip(0));
}

// The forms that are read in place agree with the two other ways through the same bytes: peek(), which says what stands
// there, and skip(), which says how long it is.
TEST(MsgpackReader, TakesWhatStandsThereAndAllOfIt) {
  Rng rng(7);
  for (int round = 0; round < 100'000; ++round) {
    Bytes bytes(rng.below(24));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
    // Mostly something that begins a short string or map, of which few random bytes are.
    if (!bytes.empty() && round % 2 == 0) bytes[0] = static_cast<std::uint8_t>(0x80 + rng.below(0x60));
    const auto kind = MsgpackReader(bytes).peek();
    MsgpackReader behind(bytes);
    const bool is_scalar = behind.skip(0).has_value();
    const auto expect = [&](MsgpackKind wanted, auto take) {
      MsgpackReader reader(bytes);
      const bool taken = take(reader);
      ASSERT_EQ(taken, kind && *kind == wanted) << to_hex(bytes);
      if (!taken) {
        ASSERT_EQ(reader.offset(), 0u);
      } else if (is_scalar) {
        ASSERT_EQ(reader.offset(), behind.offset()) << to_hex(bytes);
      }
    };
    std::uint64_t number = 0;
    double real = 0;
    std::string_view text;
    std::size_t count = 0;
    expect(MsgpackKind::Uint, [&](MsgpackReader& r) { return r.take_uint(number); });
    expect(MsgpackKind::Float, [&](MsgpackReader& r) { return r.take_float(real); });
    expect(MsgpackKind::String, [&](MsgpackReader& r) { return r.take_string(text, limits::message_bytes_max); });
    expect(MsgpackKind::Map, [&](MsgpackReader& r) { return r.take_map(count); });
    if (kind && *kind == MsgpackKind::String && !text.empty()) {
      EXPECT_FALSE(MsgpackReader(bytes).take_string(text, text.size() - 1));
    }
    const std::size_t wanted = rng.below(20);
    MsgpackReader reader(bytes);
    const auto array = reader.read_array();
    EXPECT_EQ(MsgpackReader(bytes).take_array_of(wanted), array && *array == wanted) << to_hex(bytes);
  }
}

TEST(MsgpackReader, HoldsKeysToUtf8WhateverTheirLength) {
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t at = 0; at <= size; ++at) {
      std::string key(size, 'k');
      if (at < size) key[at] = '\xff';
      for (const std::size_t behind : {0, 1, 20}) {
        MsgpackWriter writer;
        writer.map(1);
        writer.str(key);
        writer.nil();
        const std::size_t whole = writer.size();
        // What stands behind the value is none of its business.
        writer.raw(Bytes(behind, 0xff));
        MsgpackReader reader(writer.bytes());
        ASSERT_EQ(reader.read_data().has_value(), at == size) << size << " " << at << " " << behind;
        ASSERT_EQ(reader.offset(), at == size ? whole : 0u);
      }
    }
  }
}

TEST(MsgpackReader, RawIsExactlyOneValue) {
  const Bytes bytes = from_hex("82a1619201a1620203 c3");
  MsgpackReader reader(bytes);
  EXPECT_EQ(to_hex(reader.read_raw().value()), "82a1619201a1620203");
  EXPECT_EQ(reader.read_bool(), true);
}

TEST(Msgpack, TheLibraryReadsWhatWeWriteAndWeReadWhatItWrites) {
  MsgpackWriter writer;
  writer.map(3);
  writer.str("big");
  writer.uint(std::numeric_limits<std::uint64_t>::max());
  writer.str("small");
  writer.integer(std::numeric_limits<std::int64_t>::min());
  writer.str("list");
  writer.array(2);
  writer.float64(-0.5);
  writer.nil();
  const Bytes ours = writer.take();
  const msgpack::object_handle handle = msgpack::unpack(reinterpret_cast<const char*>(ours.data()), ours.size());
  const msgpack::object& map = handle.get();
  ASSERT_EQ(map.type, msgpack::type::MAP);
  ASSERT_EQ(map.via.map.size, 3u);
  EXPECT_EQ(map.via.map.ptr[0].val.as<std::uint64_t>(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(map.via.map.ptr[1].val.as<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(map.via.map.ptr[2].val.via.array.ptr[0].as<double>(), -0.5);

  msgpack::sbuffer theirs;
  msgpack::pack(theirs, std::vector<std::string>{"a", std::string(300, 'b')});
  MsgpackReader reader(as_bytes_view({theirs.data(), theirs.size()}));
  ASSERT_EQ(reader.read_array(), 2u);
  EXPECT_EQ(reader.read_string(), "a");
  EXPECT_EQ(reader.read_string()->size(), 300u);
  EXPECT_TRUE(reader.at_end());
}

}  // namespace
}  // namespace legion
