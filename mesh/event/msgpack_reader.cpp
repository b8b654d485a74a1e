#include <legion/event/msgpack_reader.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
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

// The whole size of a value whose tag alone says it; 0 for the others.
constexpr std::array<std::uint8_t, 256> sizes_of_tags() {
  std::array<std::uint8_t, 256> sizes{};
  for (std::size_t tag = 0; tag < 0x80; ++tag) sizes[tag] = 1;
  for (std::size_t tag = 0xa0; tag < 0xc0; ++tag) sizes[tag] = static_cast<std::uint8_t>(1 + (tag & 0x1f));
  for (std::size_t tag = 0xe0; tag < 0x100; ++tag) sizes[tag] = 1;
  sizes[0xc0] = sizes[0xc2] = sizes[0xc3] = 1;              // nil, bool
  sizes[0xca] = 5, sizes[0xcb] = 9;                         // floats
  for (std::size_t i = 0; i < 4; ++i) {
    sizes[0xcc + i] = sizes[0xd0 + i] = static_cast<std::uint8_t>(1 + (1 << i));  // integers
    sizes[0xd4 + i] = static_cast<std::uint8_t>(2 + (1 << i));                    // fixext 1 to 8
  }
  sizes[0xd8] = 18;  // fixext 16
  return sizes;
}
constexpr std::array<std::uint8_t, 256> size_of_tag = sizes_of_tags();

// As the table. The next value cannot be looked at before this one's size is known; a guessed branch is sooner done
// than a second load.
std::size_t size_of_value(std::uint8_t tag) {
  if ((tag ^ 0xa0u) < 32) return 1 + (tag ^ 0xa0u);
  if (tag == 0xcb || tag == 0xcf) return 9;
  return size_of_tag[tag];
}

// Whether a string of at most 8 ASCII characters stands at the beginning, as most keys are, with bytes enough behind it
// to look at 8 at once. Not empty.
bool is_short_ascii(BytesView bytes) {
  const std::size_t size = bytes[0] ^ 0xa0u;
  if (size > 8 || bytes.size() < 9) return false;
  std::uint64_t text = 0;
  std::memcpy(&text, bytes.data() + 1, sizeof(text));
  // The first character is the lowest byte after this, whatever the machine's order.
  if constexpr (std::endian::native == std::endian::big) text = std::byteswap(text);
  const std::uint64_t inside = size == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * size)) - 1;
  return (text & inside & 0x8080'8080'8080'8080) == 0;
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
  std::size_t count = 0;  // entries of an array or map, bytes of a string, binary or ext
  std::uint64_t number = 0;  // integers (two's complement), bool
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

std::unexpected<Error> MsgpackReader::not_a(MsgpackKind kind) const {
  Head head;
  if (const char* error = parse_head(offset_, head)) return bad(error);
  return bad("expected " + std::string(to_string(kind)) + ", found " + std::string(to_string(head.kind)));
}

std::unexpected<Error> MsgpackReader::not_a_string(std::size_t bytes_max) const {
  Head head;
  const bool is_string = parse_head(offset_, head) == nullptr && head.kind == MsgpackKind::String;
  if (!is_string) return not_a(MsgpackKind::String);
  return bad("the string is longer than " + std::to_string(bytes_max) + " bytes");
}

Result<MsgpackReader::Head> MsgpackReader::read_head(MsgpackKind kind) {
  Head head;
  if (parse_head(offset_, head) != nullptr || head.kind != kind) return not_a(kind);
  return head;
}

bool MsgpackReader::take_other(MsgpackKind kind, Head& head) {
  if (parse_head(offset_, head) != nullptr || head.kind != kind) return false;
  offset_ += head.size;
  return true;
}

bool MsgpackReader::take_other_map(std::size_t& count) {
  Head head;
  if (!take_other(MsgpackKind::Map, head)) return false;
  count = head.count;
  return true;
}

bool MsgpackReader::take_other_uint(std::uint64_t& number) {
  Head head;
  if (!take_other(MsgpackKind::Uint, head)) return false;
  number = head.number;
  return true;
}

bool MsgpackReader::take_other_float(double& real) {
  Head head;
  if (!take_other(MsgpackKind::Float, head)) return false;
  real = head.real;
  return true;
}

bool MsgpackReader::take_other_string(std::string_view& text, std::size_t bytes_max) {
  Head head;
  if (parse_head(offset_, head) != nullptr || head.kind != MsgpackKind::String || head.count > bytes_max) return false;
  text = as_text(bytes_.subspan(offset_ + head.head_size, head.count));
  offset_ += head.size;
  return true;
}

bool MsgpackReader::take_array_of(std::size_t count) {
  if (count < 16 && count < remaining() && bytes_[offset_] == (0x90 | count)) {
    ++offset_;
    return true;
  }
  Head head;
  if (parse_head(offset_, head) != nullptr || head.kind != MsgpackKind::Array || head.count != count) return false;
  offset_ += head.size;
  return true;
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

Result<void> MsgpackReader::expect_array(std::size_t count) {
  const std::size_t start = offset_;
  const auto found = read_array();
  if (!found) return std::unexpected(found.error());
  if (*found == count) return {};
  offset_ = start;
  return bad("expected an array of " + std::to_string(count) + ", found one of " + std::to_string(*found));
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

bool MsgpackReader::is_text_key(const Head& head, std::size_t at) const {
  return is_utf8(as_text(bytes_.subspan(at + head.head_size, head.count)));
}

const char* MsgpackReader::walk(Keys keys, std::size_t depth_max, std::size_t& at) const {
  LEGION_ASSERT(depth_max <= walk_depth_limit);
  struct Level {
    std::size_t left;  // values, counting keys and values of a map apart
    bool is_map;
  };
  std::array<Level, walk_depth_limit> outer;  // the containers around the present one; not initialised, it is large
  std::size_t depth = 0;
  Level level{1, false};  // the one value asked for
  for (;;) {
    while (level.left == 0) {
      if (depth == 0) return nullptr;
      level = outer[--depth];
    }
    const bool is_key = level.is_map && level.left % 2 == 0;
    --level.left;
    const std::size_t available = bytes_.size() - at;
    if (available == 0) return ends_early;
    const std::uint8_t tag = bytes_[at];

    if (is_key && keys == Keys::Utf8Strings) {
      if (is_short_ascii(bytes_.subspan(at))) {
        at += 1 + (tag ^ 0xa0u);
        continue;
      }
    } else if (const std::size_t size = size_of_value(tag); size != 0 && size <= available) {
      at += size;
      continue;
    }

    Head head;
    if (const char* error = parse_head(at, head)) return error;
    if (is_key && keys == Keys::Utf8Strings) {
      if (head.kind != MsgpackKind::String) return "a map key is not a string";
      if (!is_text_key(head, at)) return "a map key is not UTF-8";
    }
    if (head.kind == MsgpackKind::Array || head.kind == MsgpackKind::Map) {
      if (depth == depth_max) return "nested too deeply";
      const bool is_map = head.kind == MsgpackKind::Map;
      outer[depth++] = level;
      level = {is_map ? 2 * head.count : head.count, is_map};
    }
    at += head.size;
  }
}

Result<BytesView> MsgpackReader::read_value(Keys keys, std::size_t depth_max) {
  std::size_t at = offset_;
  if (const char* error = walk(keys, depth_max, at)) return bad_at(at, error);
  const BytesView value = bytes_.subspan(offset_, at - offset_);
  offset_ = at;
  return value;
}

bool MsgpackReader::take_data(BytesView& value, std::size_t depth_max) {
  std::size_t at = offset_;
  if (walk(Keys::Utf8Strings, depth_max, at) != nullptr) return false;
  value = bytes_.subspan(offset_, at - offset_);
  offset_ = at;
  return true;
}

Result<void> MsgpackReader::skip(std::size_t depth_max) {
  if (const auto value = read_value(Keys::Any, depth_max); !value) return std::unexpected(value.error());
  return {};
}

Result<BytesView> MsgpackReader::read_raw(std::size_t depth_max) { return read_value(Keys::Any, depth_max); }

Result<BytesView> MsgpackReader::read_data(std::size_t depth_max) { return read_value(Keys::Utf8Strings, depth_max); }

Result<void> MsgpackReader::expect_end() const {
  if (at_end()) return {};
  return bad(std::to_string(remaining()) + " bytes follow the value");
}

}  // namespace legion
