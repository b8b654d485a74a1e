#include <legion/event/msgpack_reader.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <string>

#include <legion/base/assert.hpp>
#include <legion/base/text.hpp>

namespace legion {
namespace {

constexpr std::size_t walk_depth_limit = 32;

constexpr const char* ends_early = "the bytes end inside a value";

std::uint64_t big_endian(BytesView bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[at + i];
  return value;
}

}  // namespace

std::string_view to_string(MsgpackKind kind) {
  switch (kind) {
    case MsgpackKind::Nil: return "nil";
    case MsgpackKind::Bool: return "bool";
    case MsgpackKind::Uint: return "unsigned integer";
    case MsgpackKind::Int: return "negative integer";
    case MsgpackKind::Float: return "float";
    case MsgpackKind::String: return "string";
    case MsgpackKind::Binary: return "binary";
    case MsgpackKind::Array: return "array";
    case MsgpackKind::Map: return "map";
    case MsgpackKind::Ext: return "ext";
  }
  LEGION_UNREACHABLE();
}

// What the first bytes of a value say. `size` covers the head, and the body of strings, binaries and ext too.
struct MsgpackReader::Head {
  MsgpackKind kind = MsgpackKind::Nil;
  std::int8_t ext_type = 0;
  std::size_t head_size = 1;
  std::size_t size = 1;
  std::size_t count = 0;      // entries of an array or map, bytes of a string, binary or ext
  std::uint64_t number = 0;   // integers (two's complement), bool
  double real = 0;
};

const char* MsgpackReader::parse_head(std::size_t at, Head& head) const {
  if (at >= bytes_.size()) return ends_early;
  const std::size_t left = bytes_.size() - at;
  const std::uint8_t tag = bytes_[at];

  const auto scalar = [&](MsgpackKind kind, std::uint64_t number) -> const char* {
    head.kind = kind;
    head.number = number;
    return nullptr;
  };
  const auto wide = [&](std::size_t width) -> const char* {
    head.head_size = head.size = 1 + width;
    if (left < 1 + width) return ends_early;
    head.number = big_endian(bytes_, at + 1, width);
    return nullptr;
  };
  const auto unsigned_number = [&](std::size_t width) -> const char* {
    head.kind = MsgpackKind::Uint;
    return wide(width);
  };
  const auto signed_number = [&](std::size_t width) -> const char* {
    if (const char* error = wide(width)) return error;
    const unsigned unused = static_cast<unsigned>(64 - 8 * width);
    const auto value = static_cast<std::int64_t>(head.number << unused) >> unused;
    head.number = static_cast<std::uint64_t>(value);
    head.kind = value < 0 ? MsgpackKind::Int : MsgpackKind::Uint;
    return nullptr;
  };
  const auto real_number = [&](std::size_t width) -> const char* {
    head.kind = MsgpackKind::Float;
    if (const char* error = wide(width)) return error;
    head.real = width == 4 ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(head.number)))
                           : std::bit_cast<double>(head.number);
    return nullptr;
  };
  const auto body = [&](MsgpackKind kind, std::size_t head_size, std::size_t count) -> const char* {
    head.kind = kind;
    head.head_size = head_size;
    head.count = count;
    head.size = head_size + count;
    return left - head_size < count ? ends_early : nullptr;
  };
  const auto wide_body = [&](MsgpackKind kind, std::size_t width) -> const char* {
    if (const char* error = wide(width)) return error;
    return body(kind, 1 + width, static_cast<std::size_t>(head.number));
  };
  const auto ext = [&](std::size_t head_size, std::size_t count) -> const char* {
    if (left < head_size) return ends_early;
    head.ext_type = static_cast<std::int8_t>(bytes_[at + head_size - 1]);
    return body(MsgpackKind::Ext, head_size, count);
  };
  const auto wide_ext = [&](std::size_t width) -> const char* {
    if (const char* error = wide(width)) return error;
    return ext(2 + width, static_cast<std::size_t>(head.number));
  };
  const auto container = [&](MsgpackKind kind, std::size_t head_size, std::size_t count) -> const char* {
    head.kind = kind;
    head.head_size = head.size = head_size;
    head.count = count;
    if (count > limits::msgpack_items_max) return "a container claims too many entries";
    const std::size_t bytes_min = kind == MsgpackKind::Map ? 2 * count : count;
    return bytes_min > left - head_size ? ends_early : nullptr;
  };
  const auto wide_container = [&](MsgpackKind kind, std::size_t width) -> const char* {
    if (const char* error = wide(width)) return error;
    return container(kind, 1 + width, static_cast<std::size_t>(head.number));
  };

  if (tag < 0x80) return scalar(MsgpackKind::Uint, tag);
  if (tag < 0x90) return container(MsgpackKind::Map, 1, tag & 0x0f);
  if (tag < 0xa0) return container(MsgpackKind::Array, 1, tag & 0x0f);
  if (tag < 0xc0) return body(MsgpackKind::String, 1, tag & 0x1f);
  if (tag >= 0xe0) return scalar(MsgpackKind::Int, static_cast<std::uint64_t>(static_cast<std::int8_t>(tag)));
  switch (tag) {
    case 0xc0: return scalar(MsgpackKind::Nil, 0);
    case 0xc2: return scalar(MsgpackKind::Bool, 0);
    case 0xc3: return scalar(MsgpackKind::Bool, 1);
    case 0xc4: return wide_body(MsgpackKind::Binary, 1);
    case 0xc5: return wide_body(MsgpackKind::Binary, 2);
    case 0xc6: return wide_body(MsgpackKind::Binary, 4);
    case 0xc7: return wide_ext(1);
    case 0xc8: return wide_ext(2);
    case 0xc9: return wide_ext(4);
    case 0xca: return real_number(4);
    case 0xcb: return real_number(8);
    case 0xcc: return unsigned_number(1);
    case 0xcd: return unsigned_number(2);
    case 0xce: return unsigned_number(4);
    case 0xcf: return unsigned_number(8);
    case 0xd0: return signed_number(1);
    case 0xd1: return signed_number(2);
    case 0xd2: return signed_number(4);
    case 0xd3: return signed_number(8);
    case 0xd4: return ext(2, 1);
    case 0xd5: return ext(2, 2);
    case 0xd6: return ext(2, 4);
    case 0xd7: return ext(2, 8);
    case 0xd8: return ext(2, 16);
    case 0xd9: return wide_body(MsgpackKind::String, 1);
    case 0xda: return wide_body(MsgpackKind::String, 2);
    case 0xdb: return wide_body(MsgpackKind::String, 4);
    case 0xdc: return wide_container(MsgpackKind::Array, 2);
    case 0xdd: return wide_container(MsgpackKind::Array, 4);
    case 0xde: return wide_container(MsgpackKind::Map, 2);
    case 0xdf: return wide_container(MsgpackKind::Map, 4);
  }
  return "0xc1 begins no value";
}

std::unexpected<Error> MsgpackReader::bad_at(std::size_t offset, std::string_view what) {
  return fail(ErrorCode::BadData, "MessagePack at byte " + std::to_string(offset) + ": " + std::string(what));
}

Result<MsgpackReader::Head> MsgpackReader::read_head(MsgpackKind kind) {
  Head head;
  if (const char* error = parse_head(offset_, head)) return bad(error);
  if (head.kind != kind) {
    return bad("expected " + std::string(to_string(kind)) + ", found " + std::string(to_string(head.kind)));
  }
  return head;
}

Result<MsgpackKind> MsgpackReader::peek() const {
  Head head;
  if (const char* error = parse_head(offset_, head)) return bad(error);
  return head.kind;
}

Result<std::size_t> MsgpackReader::read_array() {
  const auto head = read_head(MsgpackKind::Array);
  if (!head) return std::unexpected(head.error());
  offset_ += head->size;
  return head->count;
}

Result<std::size_t> MsgpackReader::read_map() {
  const auto head = read_head(MsgpackKind::Map);
  if (!head) return std::unexpected(head.error());
  offset_ += head->size;
  return head->count;
}

Result<void> MsgpackReader::expect_array(std::size_t count) {
  const std::size_t start = offset_;
  const auto found = read_array();
  if (!found) return std::unexpected(found.error());
  if (*found == count) return {};
  offset_ = start;
  return bad("expected an array of " + std::to_string(count) + ", found one of " + std::to_string(*found));
}

Result<std::uint64_t> MsgpackReader::read_uint() {
  const auto head = read_head(MsgpackKind::Uint);
  if (!head) return std::unexpected(head.error());
  offset_ += head->size;
  return head->number;
}

Result<std::int64_t> MsgpackReader::read_int() {
  Head head;
  if (const char* error = parse_head(offset_, head)) return bad(error);
  if (head.kind != MsgpackKind::Uint && head.kind != MsgpackKind::Int) {
    return bad("expected integer, found " + std::string(to_string(head.kind)));
  }
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (head.kind == MsgpackKind::Uint && head.number > largest) return bad("the integer does not fit 64 signed bits");
  offset_ += head.size;
  return static_cast<std::int64_t>(head.number);
}

Result<double> MsgpackReader::read_float() {
  const auto head = read_head(MsgpackKind::Float);
  if (!head) return std::unexpected(head.error());
  offset_ += head->size;
  return head->real;
}

Result<bool> MsgpackReader::read_bool() {
  const auto head = read_head(MsgpackKind::Bool);
  if (!head) return std::unexpected(head.error());
  offset_ += head->size;
  return head->number != 0;
}

Result<void> MsgpackReader::read_nil() {
  const auto head = read_head(MsgpackKind::Nil);
  if (!head) return std::unexpected(head.error());
  offset_ += head->size;
  return {};
}

Result<std::string_view> MsgpackReader::read_string(std::size_t bytes_max) {
  const auto head = read_head(MsgpackKind::String);
  if (!head) return std::unexpected(head.error());
  if (head->count > bytes_max) return bad("the string is longer than " + std::to_string(bytes_max) + " bytes");
  const std::string_view text = as_text(bytes_.subspan(offset_ + head->head_size, head->count));
  offset_ += head->size;
  return text;
}

Result<BytesView> MsgpackReader::read_bin(std::size_t bytes_max) {
  const auto head = read_head(MsgpackKind::Binary);
  if (!head) return std::unexpected(head.error());
  if (head->count > bytes_max) return bad("the binary is longer than " + std::to_string(bytes_max) + " bytes");
  const BytesView body = bytes_.subspan(offset_ + head->head_size, head->count);
  offset_ += head->size;
  return body;
}

Result<MsgpackExt> MsgpackReader::read_ext() {
  const auto head = read_head(MsgpackKind::Ext);
  if (!head) return std::unexpected(head.error());
  const MsgpackExt ext{head->ext_type, bytes_.subspan(offset_ + head->head_size, head->count)};
  offset_ += head->size;
  return ext;
}

Result<BytesView> MsgpackReader::walk(Keys keys, std::size_t depth_max) {
  LEGION_ASSERT(depth_max <= walk_depth_limit);
  struct Level {
    std::size_t left = 0;  // values, counting keys and values of a map apart
    bool is_map = false;
  };
  std::array<Level, walk_depth_limit> levels;
  std::size_t depth = 0;
  std::size_t at = offset_;
  for (;;) {
    Head head;
    if (const char* error = parse_head(at, head)) return bad_at(at, error);
    const bool is_key = depth > 0 && levels[depth - 1].is_map && levels[depth - 1].left % 2 == 0;
    if (is_key && keys == Keys::Utf8Strings) {
      if (head.kind != MsgpackKind::String) return bad_at(at, "a map key is not a string");
      if (!is_utf8(as_text(bytes_.subspan(at + head.head_size, head.count))))
        return bad_at(at, "a map key is not UTF-8");
    }
    if (depth > 0) --levels[depth - 1].left;
    if (head.kind == MsgpackKind::Array || head.kind == MsgpackKind::Map) {
      if (depth == depth_max) return bad_at(at, "nested too deeply");
      const bool is_map = head.kind == MsgpackKind::Map;
      levels[depth++] = {is_map ? 2 * head.count : head.count, is_map};
    }
    at += head.size;
    while (depth > 0 && levels[depth - 1].left == 0) --depth;
    if (depth == 0) break;
  }
  const BytesView value = bytes_.subspan(offset_, at - offset_);
  offset_ = at;
  return value;
}

Result<void> MsgpackReader::skip(std::size_t depth_max) {
  if (const auto value = walk(Keys::Any, depth_max); !value) return std::unexpected(value.error());
  return {};
}

Result<BytesView> MsgpackReader::read_raw(std::size_t depth_max) { return walk(Keys::Any, depth_max); }

Result<BytesView> MsgpackReader::read_data(std::size_t depth_max) { return walk(Keys::Utf8Strings, depth_max); }

Result<void> MsgpackReader::expect_end() const {
  if (at_end()) return {};
  return bad(std::to_string(remaining()) + " bytes follow the value");
}

}  // namespace legion
