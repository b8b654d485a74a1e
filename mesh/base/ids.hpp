// Names and numbers that identify a node and its lives.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>

namespace legion {

/// [a-z0-9-]{1,64}
bool is_node_name(std::string_view name);

/// A number that grows with every life of a node name: max(clock, highest known + 1, last kept + 1) with random low
/// 16 bits. Zero means "not chosen yet".
using Incarnation = std::uint64_t;

/// 128 random bits, drawn once per process. Two processes with one name differ in it.
struct BootId {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const BootId&, const BootId&) = default;
  bool is_nil() const;
  std::string hex() const;  ///< 32 lower-case hex digits
  static Result<BootId> from_hex(std::string_view text);
};

/// Who numbered an event: a node name in one of its lives.
struct Origin {
  std::string node{};
  Incarnation incarnation = 0;
  friend auto operator<=>(const Origin&, const Origin&) = default;
};

}  // namespace legion
