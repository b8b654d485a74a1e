// Making one block of several, or less of one. Internal to this layer.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include <legion/spool/sqlite_state.hpp>

namespace legion::spool {

/// A block for rebuild(). Nothing: it is gone, quarantined or damaged, and then reported. Throws SQLite::Exception.
std::optional<LoadedBlock> load_block_at(WriterState& state, CommitNumber first);

enum class Keep : std::uint8_t { Frame, Number };
using KeepChoice = std::function<Keep(const LoadedBlock& block, const BlockFrame& frame)>;

/// Adds all entries of a block to state.builder, whose next number is that of the first. May make rows of streams.
void add_to_builder(WriterState& state, const LoadedBlock& block);

/// Replaces neighbouring blocks, ascending, by one with the frames that are to be kept; by none when there are none.
/// Commit numbers and the chain stay. Inside write().
void rebuild(WriterState& state, std::span<const LoadedBlock> blocks, const KeepChoice& choose);

}  // namespace legion::spool
