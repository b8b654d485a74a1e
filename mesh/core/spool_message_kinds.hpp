// First members of the messages of the spool link. 16 and 17 are queries. Source: docs/protocol.md, "Spool link".
#pragma once

#include <cstdint>

namespace legion::spool_kind {

inline constexpr std::uint8_t open_link = 1;
inline constexpr std::uint8_t append_frame = 2;
inline constexpr std::uint8_t append_void = 3;
inline constexpr std::uint8_t skip_range = 4;
inline constexpr std::uint8_t released = 5;
inline constexpr std::uint8_t close_link = 6;

inline constexpr std::uint8_t link_opened = 8;
inline constexpr std::uint8_t link_refused = 9;
inline constexpr std::uint8_t acknowledged = 10;
inline constexpr std::uint8_t rewind = 11;

}  // namespace legion::spool_kind
