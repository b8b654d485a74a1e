// Expanding the body of a compressed frame within bounds. Internal to this layer.
#pragma once

#include <cstddef>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>

namespace legion {

/// `bytes` have to be exactly one zstd frame that states its size, at most limits::message_bytes_max.
/// Errors: BadData.
Result<Bytes> expand_zstd(BytesView bytes);

struct ExpandedHead {
  Bytes first_bytes;               ///< `head_bytes` of them, or fewer when there are not more
  std::size_t expanded_size = 0;   ///< what the zstd frame states
};

/// The first bytes only: costs one block of the compressed body instead of all.
Result<ExpandedHead> expand_zstd_head(BytesView bytes, std::size_t head_bytes);

}  // namespace legion
