// Numbers as the blocks hold them: LEB128, with zigzag for differences. Internal to this layer.
#pragma once

#include <cstdint>
#include <string_view>

#include <legion/base/bytes.hpp>

namespace legion::spool {

constexpr std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

inline void put_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}
inline void put_text(Bytes& out, std::string_view text) {
  put_varint(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

/// Reads what the functions above wrote, within bounds. After the first thing that does not fit everything reads as 0
/// and ok() says no.
class VarintReader {
 public:
  explicit VarintReader(BytesView bytes) : bytes_(bytes) {}

  bool ok() const { return is_ok_; }
  bool at_end() const { return is_ok_ && bytes_.empty(); }
  std::size_t remaining() const { return bytes_.size(); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes_.size() && i < 10; ++i) {
      value |= static_cast<std::uint64_t>(bytes_[i] & 0x7f) << (7 * i);
      if (bytes_[i] < 0x80) {
        bytes_ = bytes_.subspan(i + 1);
        return value;
      }
    }
    return fail();
  }
  /// How many of something follow, of which each takes `bytes_each` bytes or more.
  std::size_t count(std::size_t bytes_each = 1) {
    const std::uint64_t value = number();
    return value <= bytes_.size() / bytes_each ? static_cast<std::size_t>(value) : fail();
  }
  std::uint8_t byte() {
    const BytesView one = bytes(1);
    return one.empty() ? 0 : one[0];
  }
  /// Empty when there are not so many.
  BytesView bytes(std::size_t size) {
    if (size > bytes_.size()) {
      fail();
      return {};
    }
    const BytesView out = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return out;
  }
  std::string_view text() { return as_text(bytes(count())); }

 private:
  std::size_t fail() {
    is_ok_ = false;
    bytes_ = {};
    return 0;
  }

  BytesView bytes_;
  bool is_ok_ = true;
};

}  // namespace legion::spool
