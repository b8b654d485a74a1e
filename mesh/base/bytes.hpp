// Byte sequences, owned and borrowed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace legion {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

inline std::string_view as_text(BytesView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

inline BytesView as_bytes_view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace legion
