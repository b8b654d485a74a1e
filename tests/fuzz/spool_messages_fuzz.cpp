// What arrives on a spool port, at either end: an error, or a message that is the same after a round trip.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/core/spool_messages.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const BytesView head(bytes, size);
  for (const bool has_frame : {false, true}) {
    const auto decoded = decode_to_spool(head, has_frame);
    if (!decoded) {
      LEGION_ASSERT(!decoded.error().message.empty());
      continue;
    }
    const auto* open = std::get_if<OpenLink>(&*decoded);
    if (open != nullptr && !open->speaks_our_version()) continue;  // the rest was not read
    const auto again = decode_to_spool(encode(*decoded).head, has_frame);
    LEGION_ASSERT(again.has_value());
    LEGION_ASSERT(*again == *decoded);
  }
  if (const auto decoded = decode_from_spool(head)) {
    const auto again = decode_from_spool(encode(*decoded));
    LEGION_ASSERT(again.has_value());
    LEGION_ASSERT(*again == *decoded);
  }
  return 0;
}
