// A bounded cursor over MessagePack from outside.
#pragma once

#include <cstddef>
#include <cstdint>
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
  Result<std::size_t> read_map();
  /// An array of exactly this many values.
  Result<void> expect_array(std::size_t count);

  Result<std::uint64_t> read_uint();
  /// Any integer that fits.
  Result<std::int64_t> read_int();
  /// Floats only; an integer is not taken for one.
  Result<double> read_float();
  Result<bool> read_bool();
  Result<void> read_nil();
  /// Not checked to be UTF-8.
  Result<std::string_view> read_string(std::size_t bytes_max = limits::message_bytes_max);
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

 private:
  enum class Keys : std::uint8_t { Any, Utf8Strings };
  struct Head;

  const char* parse_head(std::size_t at, Head& head) const;
  Result<Head> read_head(MsgpackKind kind);
  Result<BytesView> walk(Keys keys, std::size_t depth_max);
  std::unexpected<Error> bad(std::string_view what) const { return bad_at(offset_, what); }
  static std::unexpected<Error> bad_at(std::size_t offset, std::string_view what);

  BytesView bytes_;
  std::size_t offset_;
};

}  // namespace legion
