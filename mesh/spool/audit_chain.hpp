// The audit chain: docs/spool-format.md, "Commits".
#pragma once

#include <array>
#include <cstdint>

#include <legion/base/bytes.hpp>
#include <legion/event/journal.hpp>

namespace legion {

using Digest = std::array<std::uint8_t, 32>;

/// BLAKE2b-256.
Digest digest_of(BytesView frame);

/// The chain behind a frame. Before the first one it is all zeros.
Digest chain_link(const Digest& before, const Digest& frame, const Origin& origin, JournalKind journal,
                  Position position);

}  // namespace legion
