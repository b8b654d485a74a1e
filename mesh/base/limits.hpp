// Every bound of the protocol and of memory in one place. docs/protocol.md states the same figures.
#pragma once

#include <cstddef>
#include <cstdint>

namespace legion::limits {

inline constexpr std::size_t lane_count = 4;

inline constexpr std::size_t node_name_bytes_max = 64;
inline constexpr std::size_t event_type_bytes_max = 120;
inline constexpr std::size_t wire_type_bytes_max = 160;       ///< the type in a topic: `~replay.` and a type fits
inline constexpr std::size_t source_bytes_max = 160;          ///< node / agent
inline constexpr std::size_t attribute_bytes_max = 1024;      ///< one attribute value (ids, key, trace context)
inline constexpr std::size_t attributes_max = 32;             ///< entries of one event's attribute map
inline constexpr std::size_t extensions_max = 32;             ///< further CloudEvents attributes of one event
inline constexpr std::size_t extension_name_bytes_max = 64;
inline constexpr std::size_t topic_bytes_max = 245;           ///< 246..255 corrupt the stream: docs/zeromq-notes.md, 5

/// Packed frames stop growing here; a single larger event travels in a frame of its own.
inline constexpr std::size_t frame_bytes_target = 32 * 1024;
/// Largest encoded event (attributes and data).
inline constexpr std::size_t event_bytes_max = 1024 * 1024;
/// Largest frame or control message; sockets are opened with this + 64 as MAXMSGSIZE.
inline constexpr std::size_t message_bytes_max = event_bytes_max + 4096;
/// Largest encoded `~record` event: a dead letter holds a whole frame of one event and its deaths.
inline constexpr std::size_t record_bytes_max = message_bytes_max + 32 * 1024;
/// Largest frame of records; only the spool link carries such.
inline constexpr std::size_t record_frame_bytes_max = record_bytes_max + 4096;

inline constexpr std::size_t msgpack_depth_max = 16;          ///< nesting of event data and control messages
inline constexpr std::size_t msgpack_items_max = 65536;       ///< entries of one array or map
inline constexpr std::size_t where_bytes_max = 4096;          ///< text of a condition
inline constexpr std::size_t where_depth_max = 32;            ///< parentheses and `not`s in each other
inline constexpr std::size_t where_tests_max = 256;           ///< comparisons in one condition
inline constexpr std::size_t where_list_max = 256;            ///< literals in the lists of one condition together
inline constexpr std::size_t where_glob_bytes_max = 4096;     ///< text that `matches` looks at
inline constexpr std::size_t middleware_steps_max = 64;       ///< of a node
inline constexpr std::size_t json_line_bytes_max = 4 * 1024 * 1024;

inline constexpr std::size_t agent_state_bytes_max = 128;     ///< an agent's state, as heartbeats and stats tell it
inline constexpr std::size_t roles_max = 16;                  ///< roles of one node
inline constexpr std::size_t role_bytes_max = 64;
inline constexpr std::size_t roster_entries_max = 4096;
inline constexpr std::size_t roster_page_members = 256;        ///< members in one page of a roster, each below 3.1 KiB
inline constexpr std::size_t sync_tails_per_part_max = 512;   ///< streams named in one part of a sync echo
inline constexpr std::size_t tails_origins_max = 32;          ///< origins in one question for tails
inline constexpr std::size_t streams_per_origin_max = 100000; ///< a stream beyond it is refused and counted
inline constexpr std::size_t error_text_bytes_max = 1024;     ///< error text kept with a death or an outcome
inline constexpr std::size_t spools_required_max = 4;         ///< spools that one confirm may wait for

inline constexpr std::size_t subscription_name_bytes_max = 64;
inline constexpr std::size_t cursor_ahead_max = 1024;         ///< events of one stream done beyond its cursor
inline constexpr std::size_t record_streams_max = 4096;       ///< streams in one record of a cursor
inline constexpr std::size_t letter_deaths_max = 16;          ///< deaths listed in a letter; the oldest go first

}  // namespace legion::limits
