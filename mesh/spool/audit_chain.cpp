#include <legion/spool/audit_chain.hpp>

#include <algorithm>

#include <sodium.h>

#include <legion/base/assert.hpp>
#include <legion/base/limits.hpp>

namespace legion {

Digest digest_of(BytesView frame) {
  Digest out;
  crypto_generichash(out.data(), out.size(), frame.data(), frame.size(), nullptr, 0);
  return out;
}

Digest chain_link(const Digest& before, const Digest& frame, const Origin& origin, JournalKind journal,
                  Position position) {
  std::array<std::uint8_t, 2 * sizeof(Digest) + 17 + limits::node_name_bytes_max> buffer;
  LEGION_ASSERT(origin.node.size() <= limits::node_name_bytes_max);
  auto at = std::ranges::copy(before, buffer.begin()).out;
  at = std::ranges::copy(frame, at).out;
  *at++ = static_cast<std::uint8_t>(journal);
  for (const std::uint64_t number : {position, origin.incarnation}) {
    for (int i = 0; i < 8; ++i) *at++ = static_cast<std::uint8_t>(number >> (8 * i));
  }
  at = std::ranges::copy(origin.node, at).out;
  return digest_of(BytesView(buffer).first(static_cast<std::size_t>(at - buffer.begin())));
}

}  // namespace legion
