// Constants and steps that the frame's reader and writer share. Internal to this layer.
#pragma once

#include <cstddef>
#include <cstdint>

#include <legion/base/limits.hpp>

namespace legion::frame_format {

inline constexpr std::uint8_t topic_end = 0x00;        ///< behind the type, before the shard
inline constexpr std::size_t fields = 7;               ///< of the MessagePack array
inline constexpr std::uint8_t tag_uint8 = 0xcc;        ///< flags
inline constexpr std::uint8_t tag_uint64 = 0xcf;       ///< incarnation, first sequence
inline constexpr std::uint8_t tag_str8 = 0xd9;         ///< a name of more than 31 bytes
inline constexpr std::uint8_t fixstr_size = 0x1f;      ///< of a shorter one, in its tag
inline constexpr std::uint8_t tag_array32 = 0xdd;      ///< events
inline constexpr std::uint8_t tag_bin32 = 0xc6;        ///< compressed events
inline constexpr std::size_t events_head_bytes = 5;    ///< tag and 32-bit count
inline constexpr int zstd_level = 1;
/// The skeleton of an event is one level above its attributes and data, which is two above their entries.
inline constexpr std::size_t event_depth_max = limits::msgpack_depth_max + 2;

}  // namespace legion::frame_format
