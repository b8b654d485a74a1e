// A bounded cursor over MessagePack from outside.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/limits.hpp>

namespace legion {

enum class MsgpackKind : std::uint8_t { Nil, Bool, Uint, Int, Float, String, Binary, Array, Map, Ext };

/// "nil", "bool", "unsigned integer", ...
std::string_view to_string(MsgpackKind kind);

struct MsgpackExt {
  std::int8_t type = 0;
  BytesView bytes;
};

/// Reads values one after the other from bytes that somebody else wrote.
///
/// Written by hand instead of using the unpacker of msgpack-cxx: every frame that arrives goes through it, it makes no
/// object tree and no allocation, hostile bytes are values and not exceptions, and every bound is checked before
/// anything is believed (the library's visitor has no limits, its unpacker allocates what a header claims).
///
/// Ownership: strings, binaries and raw values are views into the bytes given; they have to outlive the views.
/// Bounds: never reads outside the bytes; a container claims at most limits::msgpack_items_max entries and never more
/// than the bytes left could hold; skip(), read_raw() and read_data() walk at most limits::msgpack_depth_max deep,
/// where a scalar has depth 0 and a container one more than its deepest entry.
/// Errors: BadData with the offset and what was expected. After an error the position is where the value began.
class MsgpackReader {
 public:
  /// Starts at `offset`, which lies within the bytes; offsets in errors count from the first byte given.
  explicit MsgpackReader(BytesView bytes, std::size_t offset = 0) : bytes_(bytes), offset_(offset) {}

  bool at_end() const { return offset_ == bytes_.size(); }
  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }

  Result<MsgpackKind> peek() const;

  /// The number of values that follow.
  Result<std::size_t> read_array();
  /// The number of key and value pairs that follow.
  Result<std::size_t> read_map() {
    std::size_t count = 0;
    if (take_map(count)) return count;
    return not_a(MsgpackKind::Map);
  }
  /// An array of exactly this many values.
  Result<void> expect_array(std::size_t count);

  Result<std::uint64_t> read_uint() {
    std::uint64_t number = 0;
    if (take_uint(number)) return number;
    return not_a(MsgpackKind::Uint);
  }
  /// Any integer that fits.
  Result<std::int64_t> read_int();
  /// Floats only; an integer is not taken for one.
  Result<double> read_float() {
    double real = 0;
    if (take_float(real)) return real;
    return not_a(MsgpackKind::Float);
  }
  Result<bool> read_bool();
  Result<void> read_nil();
  /// Not checked to be UTF-8.
  Result<std::string_view> read_string(std::size_t bytes_max = limits::message_bytes_max) {
    std::string_view text;
    if (take_string(text, bytes_max)) return text;
    return not_a_string(bytes_max);
  }
  Result<BytesView> read_bin(std::size_t bytes_max = limits::message_bytes_max);
  Result<MsgpackExt> read_ext();

  /// Passes over one whole value.
  Result<void> skip(std::size_t depth_max = limits::msgpack_depth_max);
  /// The bytes of one whole value.
  Result<BytesView> read_raw(std::size_t depth_max = limits::msgpack_depth_max);
  /// As read_raw(), and the keys of all maps have to be UTF-8 strings: what event data has to be.
  Result<BytesView> read_data(std::size_t depth_max = limits::msgpack_depth_max);
  /// Errors: BadData when bytes are left.
  Result<void> expect_end() const;

  /// As the function of the same name above, true where that has a value and false where it has an error, which it then
  /// tells. For what every event goes through: nothing to construct, and the usual forms are read in place.
  bool take_array_of(std::size_t count);  ///< expect_array()
  bool take_map(std::size_t& count);
  bool take_uint(std::uint64_t& number);
  bool take_float(double& real);
  bool take_string(std::string_view& text, std::size_t bytes_max);
  bool take_data(BytesView& value, std::size_t depth_max = limits::msgpack_depth_max);

 private:
  enum class Keys : std::uint8_t { Any, Utf8Strings };
  struct Head;

  const char* parse_head(std::size_t at, Head& head) const;
  bool is_text_key(const Head& head, std::size_t at) const;
  Result<Head> read_head(MsgpackKind kind);
  // The forms that are not read in place.
  bool take_other(MsgpackKind kind, Head& head);
  bool take_other_map(std::size_t& count);
  bool take_other_uint(std::uint64_t& number);
  bool take_other_float(double& real);
  bool take_other_string(std::string_view& text, std::size_t bytes_max);
  // Moves `at` behind the value there; after an error it is where that was found.
  const char* walk(Keys keys, std::size_t depth_max, std::size_t& at) const;
  Result<BytesView> read_value(Keys keys, std::size_t depth_max);

  std::unexpected<Error> not_a(MsgpackKind kind) const;
  std::unexpected<Error> not_a_string(std::size_t bytes_max) const;
  std::unexpected<Error> bad(std::string_view what) const { return bad_at(offset_, what); }
  static std::unexpected<Error> bad_at(std::size_t offset, std::string_view what);

  std::uint64_t big_endian_8(std::size_t at) const {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes_.data() + at, sizeof(number));
    return std::endian::native == std::endian::little ? std::byteswap(number) : number;
  }

  BytesView bytes_;
  std::size_t offset_;
};

inline bool MsgpackReader::take_map(std::size_t& count) {
  if (at_end()) return false;
  count = bytes_[offset_] ^ 0x80u;
  if (count >= 16 || 2 * count >= remaining()) return take_other_map(count);
  ++offset_;
  return true;
}

inline bool MsgpackReader::take_uint(std::uint64_t& number) {
  if (at_end()) return false;
  const std::uint8_t tag = bytes_[offset_];
  if (tag < 0x80) {
    number = tag;
    ++offset_;
    return true;
  }
  if (tag != 0xcf || remaining() < 9) return take_other_uint(number);
  number = big_endian_8(offset_ + 1);
  offset_ += 9;
  return true;
}

inline bool MsgpackReader::take_float(double& real) {
  if (remaining() < 9 || bytes_[offset_] != 0xcb) return take_other_float(real);
  real = std::bit_cast<double>(big_endian_8(offset_ + 1));
  offset_ += 9;
  return true;
}

inline bool MsgpackReader::take_string(std::string_view& text, std::size_t bytes_max) {
  if (at_end()) return false;
  const std::size_t size = bytes_[offset_] ^ 0xa0u;
  if (size >= 32 || size >= remaining() || size > bytes_max) return take_other_string(text, bytes_max);
  text = as_text(bytes_.subspan(offset_ + 1, size));
  offset_ += 1 + size;
  return true;
}

}  // namespace legion
