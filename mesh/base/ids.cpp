#include <legion/base/ids.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>

#include <legion/base/limits.hpp>

namespace legion {
namespace {

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

}  // namespace

bool is_node_name(std::string_view name) {
  if (name.empty() || name.size() > limits::node_name_bytes_max) return false;
  return std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool BootId::is_nil() const {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

std::string BootId::hex() const {
  constexpr std::string_view hex_digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 0x0f];
  }
  return out;
}

Result<BootId> BootId::from_hex(std::string_view text) {
  BootId id;
  if (text.size() != 2 * id.bytes.size()) {
    return fail(ErrorCode::BadData, "a boot id has 32 hex digits, this one has " + std::to_string(text.size()));
  }
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    const auto high = hex_digit(text[2 * i]);
    const auto low = hex_digit(text[2 * i + 1]);
    if (!high || !low) return fail(ErrorCode::BadData, "a boot id has lower-case hex digits only");
    id.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return id;
}

}  // namespace legion
