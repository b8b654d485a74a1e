// The highest sequence that is believed.
#pragma once

#include <cstdint>

namespace legion {

/// No origin counts this far (a million events a second for 285 years); what claims to is not believed, so that sums
/// over many streams stay meaningful. docs/protocol.md, "Plausibility".
inline constexpr std::uint64_t sequence_max = std::uint64_t{1} << 53;

}  // namespace legion
